"""A spec is read as documented, and every error names its line."""

from pathlib import Path

import pytest

from batch.release.sampling.spec import NumberRange, load_spec, parse_spec
from schemas.errors import UsageError
from tests.batch.release.kit import spec

GOOD = """\
name: support
window: {from: 2026-11-01, to: 2026-12-01T12:00:00+02:00}
size: 100
redaction_policies: any
where:
  app: airline
  latency_ms: {min: 3}
strata: [label, segments.plan, latency_ms]
bands: {latency_ms: [1000, 3500]}
"""


def test_a_good_spec_is_read() -> None:
    """Days mean their first moment in UTC, one value a list of one, and defaults are filled in."""
    read = parse_spec(GOOD, "s.yaml")
    assert read.window.start.isoformat() == "2026-11-01T00:00:00+00:00"
    assert read.window.end.isoformat() == "2026-12-01T10:00:00+00:00"
    assert read.where == {"app": ["airline"], "latency_ms": NumberRange(min=3.0)}
    assert read.one_per == "conversation"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("size: 100", "size: 0", "s.yaml, line 3: size: Input should be greater"),
        ("size: 100", "sise: 100", "line 3: sise: there is no such key; size may be meant"),
        (
            "size: 100",
            "size: 100\nSeed: 1",
            "line 4: Seed: there is no such key; seed may be meant",
        ),
        (
            "size: 100",
            "size: 100\nlabels: {zzz: [pass]}",
            "line 4: labels.zzz: there is no such key; there are accept, min_confidence, policies",
        ),
        ("size: 100", "size: 100\nlabels: [pass]", "line 4: labels: must be a mapping"),
        ("app: airline", "segments.tier: 5", "line 6: where.segments.tier: takes texts"),
        ("app: airline", "app: [5]", "line 6: where.app.0: must be a text"),
        ("app: airline", "segments.: x", "line 6: where.segments.: no such column"),
        ("{min: 3}", "{min: x}", "line 7: where.latency_ms.min: must be a finite number"),
        ("app: airline", "segments: {plan: pro}", "line 5: where: write each segment as one key"),
        (
            "[label, segments.plan, latency_ms]",
            "\n  - label\n  - Status",
            "line 10: strata.Status: no such column",
        ),
        ("redaction_policies: any", "redaction_policies: [any]", "write any by itself"),
        ("app: airline", "app: {min: 1}", "line 6: where.app: takes a list of values"),
        ("latency_ms: {min: 3}", "latency_ms: [a]", "line 7: where.latency_ms: takes min and max"),
        ("latency_ms: {min: 3}", "latency_ms: {min: 3, max: 1}", "line 7: where.latency_ms"),
        ("segments.plan", "plan", "line 8: strata.plan: no such column"),
        ("[1000, 3500]", "[3500, 1000]", "line 9: bands.latency_ms: takes a column of numbers"),
        ("bands: {latency_ms: [1000, 3500]}", "", "strata.latency_ms: has many values"),
        ("to: 2026-12-01T12:00:00+02:00", "to: 2026-10-01", "line 2: window: `from` must be"),
        ("redaction_policies: any", "redaction_policies: []", "redaction_policies: list at least"),
        ("redaction_policies: any", "", "redaction_policies: is missing"),
        ("size: 100", "size: 100\nsize: 200", "line 4: duplicate key size"),
        ("name: support", "name: Support Set", "line 1: name: String should match"),
        ("name: support", "name: [", "not YAML"),
        ("size: 100", "size: 100\nexpired: drop", "line 4: expired: Input should be 'refuse' or"),
        (
            "size: 100",
            "size: 100\nsynthetic: {file: f, generator: g, max_share: 1}",
            "line 4: synthetic.max_share: Input should be less than 1",
        ),
        (
            "size: 100",
            "size: 100\nsynthetic:\n  file: f\n  generator: a b",
            "line 6: synthetic.generator",
        ),
        ("size: 100", "size: 100\nsynthetic: {file: f}", "line 4: synthetic.generator: is missing"),
        (
            "size: 100",
            "size: 100\nlabels: {accept: [none], min_confidence: 1}",
            "line 4: labels: a trace without a label event cannot",
        ),
    ],
)
def test_an_error_names_its_line(old: str, new: str, told: str) -> None:
    """The message has the line, the field and the correct form."""
    assert old in GOOD
    with pytest.raises(UsageError) as raised:
        parse_spec(GOOD.replace(old, new), "s.yaml")
    assert told in str(raised.value)


def test_the_hash_is_of_the_content_not_the_layout() -> None:
    """Layout, comments and spelled-out defaults leave the hash; another value changes it."""
    other = "# a comment\none_per: conversation\n" + GOOD
    assert parse_spec(other, "o").to_json() == parse_spec(GOOD, "s").to_json()
    changed = GOOD.replace("100", "101", 1)
    assert parse_spec(changed, "o").to_json() != parse_spec(GOOD, "s").to_json()


def test_sets_come_from_files_beside_the_spec(tmp_path: Path) -> None:
    """``must_include: {file: …}`` is read line by line, and its content is part of the hash."""
    (tmp_path / "ids.txt").write_text("a\n\n b \n")
    (tmp_path / "s.yaml").write_text(GOOD + "must_include: {file: ids.txt}\n")
    assert load_spec(tmp_path / "s.yaml").must_include == ["a", "b"]
    (tmp_path / "s.yaml").write_text(GOOD + "must_include: {file: gone.txt}\n")
    with pytest.raises(UsageError, match=r"must_include\.file: the file gone\.txt"):
        load_spec(tmp_path / "s.yaml")


def test_one_trace_is_in_one_set() -> None:
    """A trace cannot be in must_include and adversarial at once."""
    with pytest.raises(UsageError, match="adversarial: 1 of its traces"):
        spec(must_include=["a", "b"], adversarial=["b"])
