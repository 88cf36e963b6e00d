"""Which traces a release speaks for, how often answers fail, and names that nothing has."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batch.release.format.files import DATASHEET, MANIFEST
from batch.release.format.manifest import PopulationFacts
from batch.release.format.version import ChangeLevel
from batch.release.publish.build import ReleaseDraft, publish_draft
from batch.release.publish.verify import verify_release
from labels.failure_rate import AuditedTrace, estimate_failure_rate
from lake.objects import FolderStore
from lake.tables import Lake
from schemas.errors import UsageError
from tests.batch.release.kit import DOCUMENT, built, drafted, open_repository
from tests.batch.release.people import erased, rows_of
from tests.batch.release.world import Row, add, conversations, label, labels_for, make_lake

ALL = DOCUMENT["labels"]
WHOLE: dict[str, Any] = {"one_per": "trace", "size": 100, "allocation": {}, "strata": []}


def sheet(folder: Path, version: str) -> str:
    """Return the datasheet of a version as one line."""
    return " ".join((folder / "support" / version / DATASHEET).read_text().split()).replace(
        "\\", ""
    )


def manifest(folder: Path, version: str) -> dict[str, Any]:
    """Return the manifest of a version."""
    found: dict[str, Any] = json.loads((folder / "support" / version / MANIFEST).read_text())
    return found


def test_a_golden_set_holds_gold_by_default(conversation_lake: Lake) -> None:
    """Only labelled answers are in it; the weights are those of these traces."""
    made = drafted(conversation_lake, labels={})
    assert set(made.rows["label"].to_pylist()) == {"pass", "fail"}
    population = made.facts["population"]
    assert population["is"] == "traces labelled pass or fail that fit the spec"
    counts = population["labels"]
    assert set(counts) == {"pass", "fail", "unknown", "none"}
    assert population["traces"] == counts["pass"] + counts["fail"]
    assert sum(w or 0 for w in made.rows["weight"].to_pylist()) == pytest.approx(
        population["traces"]
    )
    everything = drafted(conversation_lake, labels=ALL).facts["population"]
    assert everything["labels"] == counts
    assert everything["traces"] == sum(counts.values())
    assert everything["is"] == "traces that fit the spec, labelled or not"


@pytest.fixture(scope="module")
def few_conversations(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Real conversations, twice each: fewer than a hundred traces pass or fail."""
    traces = conversations(2)
    return make_lake(tmp_path_factory.mktemp("few") / "lake", traces, labels_for(traces))


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        (ALL, {}, "`labels.accept` of the spec was pass, fail, unknown, none and is pass, fail"),
        ({}, {"min_confidence": 0.1}, "`labels.min_confidence` of the spec was 0.0 and is 0.1"),
    ],
)
def test_other_labels_are_a_major_version_that_says_why(
    few_conversations: Lake, tmp_path: Path, first: Any, second: Any, why: str
) -> None:
    """Also if no row was removed: the rows represent other traces."""
    built(few_conversations, tmp_path, **WHOLE, labels=first)
    made = built(few_conversations, tmp_path, **WHOLE, labels=second)
    assert (str(made.version), made.level, list(made.spec_changes)) == (
        "2.0.0",
        ChangeLevel.MAJOR,
        [why],
    )
    assert manifest(tmp_path, "2.0.0")["previous"]["why"] == [why]
    assert f"Since {why}." in sheet(tmp_path, "2.0.0")
    again = built(few_conversations, tmp_path, **WHOLE, labels=second)
    assert (again.level, again.digest) == (ChangeLevel.NONE, made.digest)


def test_other_changes_of_the_spec_say_why_too(conversation_lake: Lake, tmp_path: Path) -> None:
    """The level is that of the rows; ids that the spec names are not quoted."""
    built(conversation_lake, tmp_path, size=20)
    named = rows_of(tmp_path / "support" / "1.0.0")[0]["trace_id"]
    made = built(conversation_lake, tmp_path, size=22, must_include=[named])
    assert "`size` of the spec was 20 and is 22" in made.spec_changes
    assert "`must_include` of the spec is another" in made.spec_changes
    assert named not in json.dumps(manifest(tmp_path, str(made.version))["previous"])


def test_an_earlier_release_verifies_and_is_followed(
    conversation_lake: Lake, tmp_path: Path
) -> None:
    """Manifests without these counts, also when a row is erased from one."""
    made = drafted(conversation_lake, labels=ALL)
    counted = made.facts["population"]
    old: PopulationFacts = {
        "traces": counted["traces"],
        "by_redaction_policy": counted["by_redaction_policy"],
        "refused_by_redaction_policy": 0,
    }
    before = replace(made, facts={**made.facts, "population": old})
    assert isinstance(before, ReleaseDraft)
    publish_draft(before, open_repository(tmp_path))
    folder = tmp_path / "support" / "1.0.0"
    digest = manifest(tmp_path, "1.0.0")
    assert verify_release(FolderStore(folder)).ok
    assert "failure rate" not in sheet(tmp_path, "1.0.0")
    erased(open_repository(tmp_path), [rows_of(folder)[0]["trace_id"]], 1)
    assert manifest(tmp_path, "1.0.0") == digest
    assert verify_release(FolderStore(tmp_path / "support" / "2.0.0")).ok
    assert built(conversation_lake, tmp_path, labels={}).level is ChangeLevel.MAJOR


def audited(traces: list[Row], verdicts: list[str | None]) -> list[Row]:
    """Return label events of the audit arm with the verdict of a reviewer, if any."""
    events = []
    for number, (trace, verdict) in enumerate(zip(traces, verdicts, strict=False)):
        weight = {"review_fail": 2.9, "review_pass": -2.6}
        evidence = (
            [{"feedback_id": "r", "kind": verdict, "weight": weight[verdict]}] if verdict else []
        )
        evidence.append({"feedback_id": "q", "kind": "review_fail", "weight": 0.0})  # replaced
        more: dict[str, Any] = {"route": "audit", "audit_probability": 0.1 if number % 2 else 0.2}
        events.append(label(trace, 0.2, evidence=evidence, **more))
    return events


def test_the_datasheet_has_the_audit_s_rate_and_no_other(tmp_path: Path) -> None:
    """The share labelled fail is not a failure rate; the random audit estimates it."""
    traces = conversations(4)
    judged: list[str | None] = ["review_fail", "review_pass", "review_pass", "review_pass"] * 8
    events = audited(traces, [*judged, None, None])
    events += [label(trace, 0.9) for trace in traces[40:60]]
    lake = make_lake(tmp_path / "lake", traces, events)
    built(lake, tmp_path / "r", labels={})
    expected = estimate_failure_rate(
        [AuditedTrace(v == "review_fail", 0.1 if n % 2 else 0.2) for n, v in enumerate(judged)]
    )
    assert expected is not None
    counts = manifest(tmp_path / "r", "1.0.0")["population"]
    assert counts["audit"]["drawn"] == 34
    assert (counts["audit"]["judged"], counts["audit"]["failed"]) == (32, 8)
    rate = counts["audit"]["failure_rate"]
    assert (rate["mean"], rate["low"]) == pytest.approx((expected.hajek, expected.low), abs=1e-6)
    told = sheet(tmp_path / "r", "1.0.0")
    assert "The share labelled fail is not a failure rate" in told
    low, high = expected.low, expected.high
    assert f"of all {len(traces)} is {expected.hajek:.1%} ({low:.1%} to {high:.1%})" in told


def test_an_unknown_failure_rate_is_explained(conversation_lake: Lake, tmp_path: Path) -> None:
    """The datasheet has the formula and the number of reviews needed."""
    built(conversation_lake, tmp_path, labels=ALL)
    told = sheet(tmp_path, "1.0.0")
    assert "is unknown: the audit drew none of them" in told
    assert "sum of 1/p over the audited traces" in told
    assert "1.96 sqrt(r (1 - r) / n)" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strata": ["segments.plann"]}, "strata: segments.plann: no trace of the window has"),
        ({"strata": ["segments.plann"]}, "the nearest: segments.plan"),
        ({"where": {"segments.plan": ["fre", "gold"]}}, "has 'fre'; the nearest: free"),
        ({"where": {"status": ["OK", "ok"]}}, "has 'OK'; the nearest: ok"),
        ({"strata": ["error_type"]}, "strata: error_type: no trace of the window has one"),
    ],
)
def test_unmatched_names_are_warnings(
    conversation_lake: Lake, tmp_path: Path, changes: dict[str, Any], told: str
) -> None:
    """They come with the nearest existing names, in the output and in the datasheet."""
    made = built(conversation_lake, tmp_path, allocation={}, **{"strata": ["label"], **changes})
    (warning,) = made.population["warnings"]
    assert told in warning
    assert "Known gaps" in sheet(tmp_path, "1.0.0")
    assert told in sheet(tmp_path, "1.0.0")


def test_nothing_fits_reports_unmatched_names(conversation_lake: Lake) -> None:
    """A misspelt filter is named in the error."""
    with pytest.raises(UsageError, match="the nearest: airline-support"):
        drafted(conversation_lake, where={"app": "airline-suport"})
    assert (
        "warnings" not in drafted(conversation_lake, strata=["segments.plan"], allocation={}).facts
    )


def test_a_trace_resent_with_other_content_is_counted(tmp_path: Path) -> None:
    """Traces sent again unchanged are normal; another answer is reported, and the first counts."""
    first = {**conversations(1)[0], "response": None, "status": "error", "error_message": "timeout"}
    same = conversations(1)[1]
    lake = make_lake(tmp_path / "lake", [first, same, *conversations(1)[2:9]], [])
    add(lake, "traces", [{**first, "response": "With vinegar.", "status": "ok"}, same])
    made = drafted(lake, size=9, one_per="trace", strata=[], allocation={})
    assert made.facts["population"]["sent_again_otherwise"] == 1
    assert made.facts["population"]["labels"] == {"none": 9}
    built(lake, tmp_path / "r", size=9, one_per="trace", strata=[], allocation={})
    assert "1 trace was sent more than once" in sheet(tmp_path / "r", "1.0.0")
