"""A policy and a calibration that are written down decide the same when they are read back."""

import json

import pytest

from labels.calibration import prior_calibration
from labels.policy import PRESETS, load_label_policy
from labels.scorer import LabelScorer, restore_scorer, snapshot_scorer
from schemas.errors import FatalError, UsageError
from schemas.records import Feedback, Trace
from tests.labels.kit import feedback, labels, policy, told, trace


@pytest.mark.parametrize("preset", PRESETS)
def test_they_come_back_as_they_were(preset: str) -> None:
    """Through JSON, with the same hashes, so the same events have the same ids."""
    rules = load_label_policy(preset)
    learnt = prior_calibration(rules).model_copy(update={"version": 3, "slope": 0.5})
    for scales in (LabelScorer(rules), LabelScorer(rules, learnt)):
        back = restore_scorer(json.loads(json.dumps(snapshot_scorer(scales))), "here")
        made: list[Trace | Feedback] = [trace("a"), feedback("f", "a"), trace("b", status="error")]
        assert told(labels(made, back)) == told(labels(made, scales))


def test_what_was_changed_is_refused() -> None:
    """By hand, or by a version of the program that decides otherwise."""
    document = snapshot_scorer(LabelScorer(policy()))
    with pytest.raises(FatalError, match="another version"):
        restore_scorer({**document, "version": "test/1-00000000"}, "here")
    document["policy"]["window_days"] = 9
    with pytest.raises(FatalError, match="another version"):
        restore_scorer(document, "here")
    with pytest.raises(UsageError, match="here"):
        restore_scorer({"policy": {"name": 7}}, "here")
