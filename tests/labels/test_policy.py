"""The label policy file: what it accepts, and how it says what is wrong."""

import pytest

from labels.calibration import parse_calibration, prior_calibration
from labels.policy import PRESETS, load_label_policy
from labels.scorer import LabelScorer
from schemas.errors import UsageError
from tests.labels.kit import parse_label_policy

GOOD = """
name: mine
version: 3
base_rate: {mean: 0.2}
signals:
  thumbs_down:
    points_to: fail
    sensitivity: {mean: 0.1}
    specificity: {mean: 0.99}
thresholds: {pass_at_most: 0.1, fail_at_least: 0.7}
"""


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_and_distinct(name: str) -> None:
    """Every preset loads, and no two have the same hash."""
    assert load_label_policy(name).name == name
    assert len({load_label_policy(preset).hash for preset in PRESETS}) == len(PRESETS)


def test_the_hash_names_what_the_policy_says() -> None:
    """Another order of keys or another description is the same policy; another number is not."""
    policy = parse_label_policy(GOOD, "p")
    assert parse_label_policy(GOOD + "description: of no consequence\n", "p").hash == policy.hash
    assert parse_label_policy(GOOD.replace("0.99", "0.98"), "p").hash != policy.hash


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("pass_at_most: 0.1", "pass_at_most: 0.7", 10, "pass_at_most must be less"),
        ("mean: 0.99", "mean: 0.2", 6, "sensitivity + specificity must be more than 1"),
        ("mean: 0.2}", "mean: 1.5}", 4, "less than 1"),
        ("mean: 0.2}", "mean: .nan}", 4, "finite"),
        ("thumbs_down:", "thumbs_sideways:", 6, "no reading of that name"),
        ("points_to: fail", "points_to: maybe", 7, "'fail' or 'pass'"),
        ("points_to: fail", "points_to: fail\n    group: absent", 6, "there is no group absent"),
        ("version: 3", "version: 0", 3, "greater than or equal to 1"),
        ("version: 3", "version: 3\nversion: 4", 4, "duplicate key version"),
        ("version: 3", "version: 3\nwindow: 4", 4, "window: there is no such key"),
        ("version: 3", "version: 3\nratings: {low: 0.8, high: 0.2}", 4, "low must be less"),
        ("version: 3", "version: [", 5, "not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_line(old: str, new: str, line: int, said: str) -> None:
    """What is wrong or contradictory is refused, with the line and the reason."""
    with pytest.raises(UsageError) as caught:
        parse_label_policy(GOOD.replace(old, new, 1), "mine.yaml")
    message = str(caught.value)
    assert said in message
    assert message.startswith(f"mine.yaml, line {line}:")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("high_signal: {always: [copy]}", "there is no signal copy"),
        ("high_signal: {always: [thumbs_down], never: [thumbs_down]}", "always and never"),
        ("audit: {rate: 1.1}", "less than or equal to 1"),
        ("review: {reviewers: 0}", "greater than or equal to 1"),
        ("extends: nothing", "must be one of"),
    ],
)
def test_rules_that_contradict_each_other_are_refused(more: str, said: str) -> None:
    """Rules that cannot both hold, or point at nothing, are a mistake and no surprise later."""
    with pytest.raises(UsageError, match=said):
        parse_label_policy(GOOD + more, "mine.yaml")


def test_two_signals_of_one_reading_need_different_actors() -> None:
    """The same reading by the same actor cannot count twice."""
    twice = """
  again:
    reading: thumbs_down
    points_to: fail
    sensitivity: {mean: 0.2}
    specificity: {mean: 0.9}
"""
    with pytest.raises(UsageError, match="thumbs_down is the same reading"):
        parse_label_policy(GOOD.replace("thresholds:", twice + "thresholds:", 1), "p")
    told_apart = twice.replace("points_to", "actors: [agent]\n    points_to")
    policy = parse_label_policy(GOOD.replace("thresholds:", told_apart + "thresholds:", 1), "p")
    assert policy.signal_for("thumbs_down", "agent") == "again"
    assert policy.signal_for("thumbs_down", "end_user") == "thumbs_down"


def test_silence_needs_a_place_where_it_means_something() -> None:
    """A policy that counts silence must say where feedback could have been given."""
    silence = "{points_to: pass, sensitivity: {mean: 0.97}, specificity: {mean: 0.15}}"
    text = GOOD.replace("thresholds:", f"  silence: {silence}\nthresholds:", 1)
    with pytest.raises(UsageError, match="must set everywhere, apps or segments"):
        parse_label_policy(text, "p")
    exposure = parse_label_policy(text + "exposure: {apps: [shop]}\n", "p").exposure
    assert exposure.applies_to("shop", {})


def test_a_file_that_is_not_there_is_told() -> None:
    """Neither a preset nor a file: the message lists the presets."""
    with pytest.raises(UsageError, match="chat_support, rag, agent"):
        load_label_policy("/no/such/policy.yaml")


def test_a_calibration_of_another_policy_is_refused() -> None:
    """Estimates made for one policy are never used for another."""
    other = prior_calibration(load_label_policy("rag"))
    with pytest.raises(UsageError, match="was made for the policy"):
        LabelScorer(load_label_policy("agent"), other)


def test_a_calibration_survives_its_file() -> None:
    """What is written as JSON reads back as the same calibration; garbage is refused."""
    calibration = prior_calibration(load_label_policy("rag"))
    again = parse_calibration(calibration.model_dump_json(), "c.json")
    assert again.hash == calibration.hash
    for broken in ("{", "[]", '{"version": -1}'):
        with pytest.raises(UsageError, match=r"c\.json"):
            parse_calibration(broken, "c.json")
