"""What a privacy officer relies on in `goldpan lake scan`: no value missed or counted twice."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from batch.lake_scan import LakeScanner, LakeScanReport, ScanRequest
from batch.lake_scan_records import TABLES_WITH_TEXT
from goldpan.cli.lake_scan import fix_commands, fix_hints, report_json
from lake.ledger import SourcePartition
from lake.tables import Lake
from redact.crypto.keys import Keys
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import load_policy, parse_policy
from redact.reports.leftovers import LeftoverFinder
from schemas.arrow import TABLES
from schemas.assembly_columns import AssemblyFacts
from schemas.record_batches import RecordKind
from schemas.records import Feedback, StoredSpan, StoredSpanEvent, Trace
from schemas.redacted import Redacted
from tests.batch.kit import append, new_lake, put_assembled, put_spans
from tests.batch.release.kit import built, open_repository
from tests.labels.kit import NOW, START, feedback, rows, trace
from tests.lake.kit import patience
from tests.redact.kit import KEYS, decoded

MAIL = "ann.miller@example.com"
SECOND_DAY = 86_400
FORMER = Keys.derive(b"f" * 32, "k0")
PRESET = load_policy("strict")
STRICT = PRESET.model_copy(update={"names": PRESET.names.model_copy(update={"model": "none"})})
"""Without the model: faster, and nothing here is about names in prose."""


@pytest.fixture(scope="module")
def finder() -> LeftoverFinder:
    """Return what looks, with a current key and a former one."""
    return LeftoverFinder(STRICT, (KEYS, FORMER))


def scanned(lake: Lake, folder: Path, finder: LeftoverFinder, **asked: Any) -> LakeScanReport:
    """Scan a lake and the releases in a folder."""
    wanted = ScanRequest(**{"tables": TABLES_WITH_TEXT, **asked})
    return LakeScanner(lake, open_repository(folder), finder, retry=patience()).run(wanted)


def said(trace_id: str, text: str, at: float = 0, **more: Any) -> Trace:
    """Return a trace whose answer says something."""
    return trace(trace_id, at, response=text, **more)


def put_row(lake: Lake, table: str, **fields: Any) -> None:
    """Append one row to a table, with only some fields given."""
    schema = TABLES[table].arrow
    common = {"_topic": "#x", "_partition": 0, "_offset": 0, "_policy": "old"}
    row = {name: _filled(schema.field(name).type) for name in schema.names} | common | fields
    empty = {name: None for name in schema.names if schema.field(name).nullable}
    batch = pa.RecordBatch.from_pylist([{**row, **empty, **fields}], schema=schema)
    append(lake, table, Redacted(batch, "old"), SourcePartition("#x", 0), 0)


def _filled(kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind):
        return NOW
    if pa.types.is_date(kind):
        return date(2026, 11, 1)
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return []
    return "x" if pa.types.is_string(kind) else 1


def test_counts_by_table_day_and_policy(tmp_path: Path, finder: LeftoverFinder) -> None:
    """What an older policy let through is counted where it lies, and no more than that."""
    lake = new_lake(
        tmp_path / "lake",
        [
            said("a", f"write to {MAIL} or 078-05-1121"),
            said("b", "nothing here"),
            said("c", f"{MAIL} and {MAIL}", SECOND_DAY),
            feedback("f", "a", comment=f"ask {MAIL}"),
        ],
    )
    report = scanned(lake, tmp_path / "releases", finder)
    assert [(w.table, w.day, w.policy, t.rows, t.rows_found) for w, t in report.findings()] == [
        ("feedback", "2026-11-01", "p", 1, 1),
        ("traces", "2026-11-01", "p", 2, 1),
        ("traces", "2026-11-02", "p", 1, 1),
    ]
    assert report.types() == {"EMAIL_ADDRESS": 4, "US_SSN": 1}
    assert not report.ok
    assert "ann" not in json.dumps(report_json(report, None))


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": json.dumps({"input": json.dumps({"email": MAIL})})},
        {"attributes": json.dumps({MAIL: 1})},
        {"resource": json.dumps({"host.name": MAIL})},
        {"name": f"mail to {MAIL}"},
        {
            "events": [
                StoredSpanEvent(name="said", time_unix_nano=1, attributes=f'{{"a": "{MAIL}"}}')
            ]
        },
        {"body": json.dumps([MAIL])},
        {"user_id": "u-10"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_spans_are_looked_into(
    tmp_path: Path, finder: LeftoverFinder, fields: dict[str, Any]
) -> None:
    """Every text of a span, and what was assembled from it; only the topic of spans is replayed."""
    lake = new_lake(tmp_path / "lake")
    span: dict[str, Any] = {
        "record": "span",
        "format": "otlp",
        "trace_id": "t",
        "span_id": "s",
        **fields,
    }
    put_spans(lake, [StoredSpan(started_at=START, **span)])
    put_assembled(lake, [(said("t", f"ask {MAIL}"), AssemblyFacts(1, "m"))])
    report = scanned(lake, tmp_path / "releases", finder)
    found = [(place.table, counts.rows_found) for place, counts in report.findings()]
    assert found == [("otel_spans", 1), ("traces", 1)]
    assert set(report.topics) == {("otel_spans", "otlp_spans")}


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "tool", "content": json.dumps({"email": MAIL})}]},
        {"tool_calls": [{"id": "1", "name": "find", "arguments": json.dumps({"q": MAIL})}]},
        {"retrieved": [{"document_id": "d", "text": f"by {MAIL}"}]},
        {"attributes": {"contact": MAIL}},
        {"error_message": f"no mailbox {MAIL}"},
        {"user_id": "u-10"},
        {"session_id": MAIL},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_every_field_of_a_trace_is_looked_at(fields: dict[str, Any], finder: Any) -> None:
    """A value is found anywhere: in nested records, maps and kept ids too."""
    record = decoded([{"trace_id": "t", "app": "a", "started_at": NOW, "status": "ok", **fields}])
    (left,) = finder.find(RecordKind.TRACE, record.records)
    assert not left.nothing


def test_labels_reviews_and_their_writers(tmp_path: Path, finder: LeftoverFinder) -> None:
    """Texts that people wrote lie in other tables too, and are found there."""
    lake = new_lake(tmp_path / "lake")
    put_row(lake, "labels", expected_response=f"Write to {MAIL}.", label="fail", route="auto")
    put_row(lake, "reviews", comment=f"it is {MAIL}", reviewer="ben", step="review")
    shown = json.dumps({"messages": [{"role": "user", "content": f"Is it {MAIL}?"}]})
    put_row(lake, "answer_reviews", conversation=shown, response=f"Ask {MAIL}.", step="ask")
    report = scanned(lake, tmp_path / "releases", finder)
    found = {where.table: dict(tally.types) for where, tally in report.findings()}
    assert found == {
        "labels": {"EMAIL_ADDRESS": 1},
        "reviews": {"EMAIL_ADDRESS": 1, "USER_ID": 1},
        "answer_reviews": {"EMAIL_ADDRESS": 2},
    }
    assert fix_commands(report, None) == []
    assert len(fix_hints(report)) == 3


OPERATORS = {
    "EMAIL_ADDRESS": "pseudonym",
    "PHONE_NUMBER": "hash",
    "SECRET": "mask",
    "US_SSN": "drop",
    "PERSON": "placeholder",
}


@pytest.mark.parametrize("keys", [KEYS, FORMER], ids=["current", "former"])
def test_what_redaction_put_there_is_no_finding(keys: Keys, finder: LeftoverFinder) -> None:
    """Whatever the operator and the key of the time, a redacted record has nothing left."""
    rules = {kind: {"operator": operator} for kind, operator in OPERATORS.items()}
    other = parse_policy(
        json.dumps({"extends": "strict", "name": "other", "entities": rules}), "other"
    ).model_copy(update={"names": STRICT.names})
    record = {
        "trace_id": "t",
        "app": "a",
        "started_at": NOW,
        "status": "ok",
        "user_id": "mia_li_3668",
        "messages": [
            {"role": "user", "content": f"I am Mia Li, {MAIL}, my password is hunter2xQ9"},
            {"role": "tool", "content": json.dumps({"email": MAIL, "password": "abc12"})},
            {"role": "tool", "content": json.dumps({"phone": "212-555-0134", "ssn": "078051121"})},
        ],
        "response": "Dear Mia Li, call 212-555-0134.",
        "attributes": {"email": MAIL},
    }
    batch = decoded([record])
    done = PolicyRedactor(other, keys).in_place(batch)
    assert done.passed == [0]
    (left,) = finder.find(RecordKind.TRACE, batch.records)
    assert left.types == {}


def test_a_stand_in_hides_nothing_beside_it(finder: LeftoverFinder) -> None:
    """A value beside one that was replaced is still found."""
    record: Sequence[Feedback] = [feedback("f", "t", comment=f"<SECRET> of {MAIL}")]
    assert finder.find(RecordKind.FEEDBACK, record)[0].types == {"EMAIL_ADDRESS": 1}


def test_rows_of_todays_policy_can_be_passed_over(tmp_path: Path, finder: LeftoverFinder) -> None:
    """With `--older` only what another policy stored is looked at, and the rest is counted."""
    lake = new_lake(tmp_path / "lake", [said("a", MAIL)])
    batch = rows([said("b", MAIL)], start=1)
    at = batch.schema.get_field_index("_policy")
    batch = batch.set_column(at, batch.schema.field(at), pa.array([finder.policy_hash]))
    append(lake, "traces", Redacted(batch, "x"), SourcePartition("llm.traces", 0), 1)
    report = scanned(lake, tmp_path / "releases", finder, older=True)
    assert (report.rows, report.passed_over) == (1, 1)


def test_days_and_samples(tmp_path: Path, finder: LeftoverFinder) -> None:
    """Only days that are asked for are read; a sample is spread over the rows."""
    records = [said(str(i), MAIL, (i % 2) * SECOND_DAY) for i in range(40)]
    lake = new_lake(tmp_path / "lake", records)
    one = scanned(lake, tmp_path / "r", finder, first=date(2026, 11, 2), last=date(2026, 11, 2))
    assert {where.day for where in one.counts} == {"2026-11-02"}
    assert one.rows == 20
    sample = scanned(lake, tmp_path / "r", finder, sample=10)
    assert (sample.rows, sample.passed_over) == (10, 30)
    assert len(sample.counts) == 2


def test_releases_are_looked_through(tmp_path: Path, finder: LeftoverFinder) -> None:
    """A release keeps what its rows held; the way out is a new build and a withdrawal."""
    lake = new_lake(tmp_path / "lake", [said(str(i), f"{i} for {MAIL}") for i in range(12)])
    labels = {"accept": ["pass", "fail", "unknown", "none"]}
    built(lake, tmp_path / "r", labels=labels, strata=["status"], allocation={})
    report = scanned(lake, tmp_path / "r", finder, tables=())
    assert report.releases() == ["support@1.0.0"]
    assert report.types()["EMAIL_ADDRESS"] == report.rows
    assert fix_commands(report, None) == [
        "goldpan release build SPEC.yaml",
        'goldpan release withdraw support@1.0.0 --reason "holds personal data"',
    ]


def test_the_replay_that_is_named_covers_what_was_found(
    tmp_path: Path, finder: LeftoverFinder
) -> None:
    """From the first offset with a finding to the one after the last."""
    texts = ["fine", MAIL, "fine", MAIL, "fine"]
    lake = new_lake(tmp_path / "lake", [said(str(i), text) for i, text in enumerate(texts)])
    report = scanned(lake, tmp_path / "r", finder)
    assert fix_commands(report, "hipaa")[0] == (
        "goldpan stream replay --topic llm.traces --from 1 --to 4 --policy hipaa "
        f"--name scan-traces-{report.policy[:8]}"
    )
