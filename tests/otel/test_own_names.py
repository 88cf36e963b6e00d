"""Settings name attributes of the application, and scales of feedback, beside the usual ones."""

import json
from pathlib import Path

import pytest

from goldpan.otel_setup import make_assembly_rules
from goldpan.settings import Settings, load_settings
from otel.assembly import assemble_trace
from otel.feedback_scale import scale_feedback
from otel.signals import DecodedSignals
from otel.stored_spans import to_stored_spans
from schemas.errors import UsageError
from schemas.records import EARLIEST_MICROS
from tests.otel.make_spans import TRACE, chat, span


def load(monkeypatch: pytest.MonkeyPatch, **values: object) -> Settings:
    """Return the settings with these of the group ``otel`` in the environment."""
    for name, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value)
        monkeypatch.setenv(f"GOLDPAN_OTEL__{name.upper()}", text)
    return load_settings()


def test_own_names_come_before_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the row, and for the person in `otel_spans`, who is replaced there."""
    names = {"user_id": ["shop.customer"], "prompt_version": ["shop.prompt"],
             "app": ["shop.unit"], "tool_arguments": ["shop.args"]}  # fmt: skip
    rules = make_assembly_rules(load(monkeypatch, attribute_names=names))
    root = span(1, attributes={"shop.customer": "c-1", "user.id": "u-1", "shop.prompt": 4},
                resource={"shop.unit": "tills", "service.name": "web"})  # fmt: skip
    tool = span(3, 1, attributes={"gen_ai.operation.name": "execute_tool", "shop.args": "{}"})
    row = assemble_trace(TRACE, [root, chat(2, 1), tool], rules=rules).row
    assert row is not None
    assert (row["user_id"], row["prompt_version"], row["app"]) == ("c-1", "4", "tills")
    assert row["tool_calls"][0]["arguments"] == "{}"
    stored = to_stored_spans(DecodedSignals(spans=(root,)), "otlp", fallback_us=EARLIEST_MICROS,
                             most_bytes=2**20, extra=rules.extra)  # fmt: skip
    assert stored.rows[0][1].user_id == "c-1"


def test_scales_are_added_to_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """And replace them by name, in any case of the letters."""
    own = {"Quality": {"kind": "rating", "lowest": 0, "highest": 10}, "stars": {"kind": "custom"}}
    scales = load(monkeypatch, feedback_scales=own).otel.scales()
    assert scale_feedback("quality", 7.5, scales) == ("rating", 0.75)
    assert scale_feedback("Stars", 4, scales) == ("custom", 4.0)
    assert scale_feedback("csat", 5, scales) == ("rating", 1.0)


def test_an_own_file_of_prices_replaces_those_of_goldpan(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that is not there is reported by its name."""
    file = tmp_path / "prices.yaml"
    with pytest.raises(UsageError, match=r"prices\.yaml cannot be read"):
        make_assembly_rules(load(monkeypatch, prices=str(file)))
    file.write_text("version: v\nproviders:\n  - name: p\n    source: s\n    models: {}\n")
    rules = make_assembly_rules(load(monkeypatch, prices=str(file)))
    assert rules.prices is not None
    assert [provider.name for provider in rules.prices.providers] == ["p"]
    assert rules.mapping.split("/")[1] == "v"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attribute_names", {"messages": ["x"]}),
        ("attribute_names", ["x"]),
        ("feedback_scales", {"a": {"kind": "stars"}}),
        ("feedback_scales", {"a": {"kind": "rating", "lowest": 5, "highest": 1}}),
    ],
)
def test_settings_that_mean_nothing_are_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """By their name."""
    with pytest.raises(UsageError, match=f"GOLDPAN_OTEL__{name.upper()}"):
        load(monkeypatch, **{name: value})
