"""Versions of the presets: the older ones stay as they were, to the id of each label event."""

from pathlib import Path

import pytest

from batch.labels.policy_registry import POLICY_FOLDER, register_policy
from batch.labels.scorer_loader import load_configured_policy
from labels.config import LabelSettings
from labels.decision import decide_label
from labels.facts import FeedbackFacts, TraceFacts, TraceKnowledge
from labels.policy import load_label_policies, load_label_policy
from labels.scorer import LabelScorer
from lake.config import LakeSettings
from lake.location import LakeLocation
from lake.tables import Lake
from schemas.errors import UsageError
from tests.labels.kit import parse_label_policy

START = 1_793_491_200_000_000
DOWN = TraceKnowledge(
    "tr-1",
    TraceFacts(START, app="shop"),
    [FeedbackFacts("f-1", "thumbs", "end_user", START + 1, -1.0)],
)
MINE = "extends: agent\nname: mine\nversion: 7\naudit: {rate: 0.03}\n"


@pytest.mark.parametrize(
    ("preset", "named", "event_id", "p_fail"),
    [
        ("chat_support", "480c589fb53638aa", "ac895bfb902e053d7f7e59afb239d7bf", 0.666666667),
        ("rag", "9e604e3bba85d687", "e16a9c410d965526edc81344fbe57915", 0.727272727),
        ("agent", "47c3c878aa94ee13", "e156d8b57fda46f78bde7a2b7d5a6eec", 0.774193549),
    ],
)
def test_label_events_of_the_first_version_keep_their_ids(
    preset: str, named: str, event_id: str, p_fail: float
) -> None:
    """And their probabilities, and the hash of the policy; so nothing is labelled twice."""
    policy = load_label_policy(f"{preset}@1")
    event = decide_label(DOWN, LabelScorer(policy), decided_at=START + 9)
    assert event is not None
    assert (policy.hash, event.label_event_id, event.p_fail) == (named, event_id, p_fail)
    assert (policy.version, load_label_policy(preset).version) == (1, 2)
    assert load_label_policy(preset).hash == load_label_policy(f"{preset}@2").hash


def test_an_event_carries_its_interval() -> None:
    """Around its probability."""
    event = decide_label(DOWN, LabelScorer(load_label_policy("agent")), decided_at=START + 9)
    assert event is not None
    assert event.p_fail_low is not None
    assert event.p_fail_high is not None
    assert event.p_fail_low < event.p_fail < event.p_fail_high


def test_a_lake_stays_with_the_version_it_was_labelled_by(tmp_path: Path) -> None:
    """Until the settings name another one; a new lake begins with the newest."""
    preset = LabelSettings(policy="agent")
    lake = _location(tmp_path)
    assert load_configured_policy(preset, lake).hash == load_label_policy("agent@2").hash
    register_policy(lake.files(POLICY_FOLDER), load_label_policy("agent@1"))
    assert load_configured_policy(preset, lake).hash == load_label_policy("agent@1").hash
    chosen = LabelSettings(policy="agent@2")
    assert load_configured_policy(chosen, lake).hash == load_label_policy("agent@2").hash
    register_policy(lake.files(POLICY_FOLDER), load_configured_policy(chosen, lake))
    assert load_configured_policy(preset, lake).hash == load_label_policy("agent@2").hash


def test_a_file_that_extends_a_preset_stays_with_its_version_too(tmp_path: Path) -> None:
    """Its hash has the preset in it, and its calibrations belong to that hash."""
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    settings, lake = LabelSettings(policy=str(file)), _location(tmp_path / "lake")
    old, new = (
        parse_label_policy(MINE.replace("agent", "agent@1"), "old"),
        parse_label_policy(MINE, "new"),
    )
    assert old.hash != new.hash == load_configured_policy(settings, lake).hash
    register_policy(lake.files(POLICY_FOLDER), old)
    assert load_configured_policy(settings, lake).hash == old.hash


def test_versions_that_are_not_there_are_refused() -> None:
    """With those that are."""
    for wrong in ("agent@3", "agent@0", "agent@"):
        with pytest.raises(UsageError, match="must be one of chat_support"):
            load_label_policy(wrong if wrong != "agent@" else "agent@x")
    assert len(load_label_policies("agent")) == 2
    assert len(load_label_policies("agent@2")) == 1


def _location(folder: Path) -> LakeLocation:
    return Lake(LakeSettings(uri=str(folder))).location
