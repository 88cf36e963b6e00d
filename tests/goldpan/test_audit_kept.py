"""What the audit has of findings that are kept: only where asked for, and never as replaced."""

from types import SimpleNamespace
from typing import Any

import pytest

from goldpan import wiring
from redact.policies.settings import RedactSettings
from stream.replay.diff import count_by_type
from tests.servers.worker import TEST_KEY


@pytest.mark.parametrize(
    ("settings", "report"),
    [
        ({}, False),
        ({"audit_kept": True}, True),
        ({"audit_kept": True, "audit": False}, False),
        ({"audit_kept": True, "policy": "off"}, False),
    ],
)
def test_kept_types_are_looked_for_only_where_the_audit_wants_them(
    settings: dict[str, Any], report: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking for them costs CPU, so it is a setting, and of no use without an audit."""
    asked: dict[str, bool] = {}

    def build(_policy: Any, _keys: Any, **more: bool) -> Any:
        asked.update(more)
        return SimpleNamespace(policy_hash="p")

    monkeypatch.setattr(wiring, "build_redactor", build)
    wiring.load_redaction(RedactSettings.model_validate({"key": TEST_KEY, **settings}))
    assert asked["report"] is report


def test_the_difference_of_a_replay_leaves_kept_findings_out() -> None:
    """Two replays of which one counted kept findings differ in nothing else."""
    counts = [
        {"type": "URL", "operator": "keep", "count": 3},
        {"type": "PERSON", "operator": "mask", "count": 2},
    ]
    assert count_by_type(counts) == {"PERSON": 2}
