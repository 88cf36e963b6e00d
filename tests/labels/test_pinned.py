"""A policy and a calibration that are written down decide the same when they are read back."""

import json

import pytest

from labels.calibration import prior_calibration
from labels.evidence import Scales
from labels.pinned import pinned, scales_of
from labels.policy import PRESETS, load_policy
from schemas.errors import FatalError, UsageError
from tests.labels.kit import feedback, labels, policy, told, trace


@pytest.mark.parametrize("preset", PRESETS)
def test_they_come_back_as_they_were(preset: str) -> None:
    """Through JSON, with the same hashes, so the same events have the same ids."""
    rules = load_policy(preset)
    learnt = prior_calibration(rules).model_copy(update={"version": 3, "slope": 0.5})
    for scales in (Scales(rules), Scales(rules, learnt)):
        back = scales_of(json.loads(json.dumps(pinned(scales))), "here")
        made = [trace("a"), feedback("f", "a"), trace("b", status="error")]
        assert told(labels(made, back)) == told(labels(made, scales))


def test_what_was_changed_is_refused() -> None:
    """By hand, or by a version of the program that decides otherwise."""
    document = pinned(Scales(policy()))
    with pytest.raises(FatalError, match="another version"):
        scales_of({**document, "version": "test/1-00000000"}, "here")
    document["policy"]["window_days"] = 9
    with pytest.raises(FatalError, match="another version"):
        scales_of(document, "here")
    with pytest.raises(UsageError, match="here"):
        scales_of({"policy": {"name": 7}}, "here")
