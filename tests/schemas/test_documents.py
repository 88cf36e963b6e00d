"""A value of another type is not taken for a good one, in any document that people write."""

import pytest

from batch.release.sampling.spec import parse_spec
from batch.retention.plan import parse_retention_plan
from labels.calibration import parse_calibration
from redact.policies.policy import parse_policy
from schemas.errors import UsageError
from schemas.yaml_documents import read_yaml_mapping
from tests.labels.kit import parse_label_policy

SPEC = """\
name: support
window: {from: 2026-11-01, to: 2026-12-01}
size: 100
redaction_policies: any
"""


@pytest.mark.parametrize(
    "days", ["yes", "true", "on", "0400", "1_0", "1:30", "0x10", "0o17", '"30"', "3.5", "1e2", "٣٠"]
)
def test_only_plain_numbers_are_days(days: str) -> None:
    """Words, truth values, texts, octal and base 60 are no number of days; the line is told."""
    with pytest.raises(UsageError) as refused:
        parse_retention_plan(f"tables:\n  reviews: {{rows: {days}}}\n", "plan.yaml")
    assert str(refused.value).startswith("plan.yaml, line 2: tables.reviews.rows: must be a whole")


def test_plain_numbers_are_days() -> None:
    """What is written as a number is that number."""
    rule = parse_retention_plan("tables:\n  reviews: {rows: 400}\n", "plan.yaml").tables["reviews"]
    assert rule.rows == 400


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("size: yes", "line 3: size: must be a whole number"),
        ("size: 0100", "line 3: size: must be a whole number"),
        ("size: 100\nseed: true", "line 4: seed: must be a whole number"),
        ("size: 100\nlabels: {min_confidence: on}", "labels.min_confidence: must be a finite"),
        ("size: 100\nholdout: {share: true}", "holdout.share: must be a finite number"),
        ("size: 100\nwhere: {latency_ms: {min: true}}", "min: must be a finite number"),
        ("size: 100\nmust_include: [0400, 12]", "must_include.1: must be a text: put it in quotes"),
        ("size: 100\nmust_include: [t1, null]", "must_include.1: must be a text"),
    ],
)
def test_a_spec_takes_no_other_types(said: str, told: str) -> None:
    """The same holds for every number of a spec, and a number is no text."""
    with pytest.raises(UsageError, match=told):
        parse_spec(SPEC.replace("size: 100", said), "s.yaml")


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026", "must be a day, as in"),
        ('"2026"', "must be a day, as in"),
        ("1767225600", "must be a day, as in"),
        ('"1767225600000"', "must be a day, as in"),
        ("1.5", "must be a day, as in"),
        ("true", "must be a day, as in"),
        ("20261101", "must be a day, as in"),
        ("2026-1-1", "must be a day, as in"),
        ("2026-02-29", "there is no such day"),
        ("2026-11-31T00:00:00Z", "there is no such day"),
        ("0001-01-01T00:00:00+14:00", "is before the first day of the calendar"),
    ],
)
def test_numbers_are_no_moments(moment: str, told: str) -> None:
    """A year, seconds since 1970 and days that do not exist are refused, with the line."""
    with pytest.raises(UsageError, match=f"^s.yaml, line 2: window.from: {told}"):
        parse_spec(SPEC.replace("2026-11-01", moment), "s.yaml")


@pytest.mark.parametrize(
    "moment",
    ["2026-11-01", '"2026-11-01"', "2026-11-01T00:00:00Z", "2026-11-01 01:00:00 +01:00"],
)
def test_moments_are_read_in_each_usual_form(moment: str) -> None:
    """A day, and a time with a zone, quoted or not, mean what they say."""
    read = parse_spec(SPEC.replace("2026-11-01", moment), "s.yaml")
    assert read.window.start.isoformat() == "2026-11-01T00:00:00+00:00"


def test_words_stay_words() -> None:
    """`no` is a text where a text is meant (an app, a country), and false where that is meant."""
    assert parse_spec(SPEC + "where: {app: no}\n", "s.yaml").where == {"app": ["no"]}
    policy = parse_policy(
        "name: mine\nextends: strict\nregions: [NO]\nkeys: {words: no}\ndecode_base64: yes\n",
        "p.yaml",
    )
    assert (policy.regions, policy.keys.words, policy.decode_base64) == (["NO"], False, True)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("text_seconds: true", "text_seconds: must be a finite number"),
        ("decode_base64: 1", "decode_base64: must be true or false"),
        ("entities: {EMAIL_ADDRESS: {score: yes}}", "score: must be a finite number"),
        ("entities: {EMAIL_ADDRESS: {score: '0.5'}}", "score: must be a finite number"),
    ],
)
def test_policies_take_no_other_types(line: str, told: str) -> None:
    """The same holds for redaction policies, over a preset too."""
    with pytest.raises(UsageError, match=told):
        parse_policy(f"name: mine\nextends: strict\n{line}\n", "p.yaml")


def test_label_policies_take_no_other_types() -> None:
    """The same holds for label policies and calibrations."""
    with pytest.raises(UsageError, match="version: must be a whole number"):
        parse_label_policy("extends: rag\nversion: true\n", "p.yaml")
    with pytest.raises(UsageError, match="version: must be a whole number"):
        parse_calibration('{"version": true, "policy": "x"}', "c.json")


@pytest.mark.parametrize("key", ["1", "true", "~", "1.5", "[a]"])
def test_names_are_texts(key: str) -> None:
    """A name of a field that is a number or nothing is refused, with its line."""
    with pytest.raises(UsageError, match=r"d\.yaml, line 2: .*a key must be text"):
        read_yaml_mapping(f"a: 1\n? {key}\n: 2\n", "d.yaml")


def test_a_document_that_holds_itself_is_refused() -> None:
    """An anchor within itself is wrong usage, not a crash."""
    with pytest.raises(UsageError, match="contains itself"):
        read_yaml_mapping("a: &x\n  b: *x\n", "d.yaml")
