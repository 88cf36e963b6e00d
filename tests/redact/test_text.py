"""What a user of ``goldpan redact`` relies on: a line in, a line out, nothing of a bad line."""

import json
import pickle
from typing import Any

import pytest

from redact.pipeline.factory import build_redactor
from redact.pipeline.jsonl import LineRedactor, RedactedLine
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import load_policy
from tests.make.records import feedback, person, trace
from tests.redact.kit import KEYS, NOW, decoded, said
from tests.redact.lines import LineSchema, outputs


@pytest.fixture(scope="module")
def texts() -> LineRedactor:
    """Return a redactor of texts."""
    return LineRedactor(load_policy("strict"), KEYS)


def run(redactor: LineRedactor, *documents: Any) -> list[RedactedLine]:
    """Redact documents."""
    return redactor.lines([json.dumps(document) for document in documents])


def output(line: RedactedLine) -> dict[str, Any]:
    """Return the document of a line that passed."""
    assert line.problem is None
    assert line.output is not None
    return dict(json.loads(line.output))


def test_findings_point_into_the_input_text(texts: LineRedactor) -> None:
    """Type, place and score of each finding are given, also for types that are kept."""
    text = "Write to ann@example.com about http://example.com/a and 078-05-1121."
    line = run(texts, {"id": 7, "text": text})[0]
    document = output(line)
    assert document["id"] == 7
    assert "ann@" not in document["text"]
    assert "http://example.com/a" in document["text"]
    found = {f["type"]: text[f["start"] : f["end"]] for f in document["findings"]}
    assert found["EMAIL_ADDRESS"] == "ann@example.com"
    assert found["URL"] == "http://example.com/a"
    assert line.replaced["EMAIL_ADDRESS/placeholder"] == 1


def test_findings_in_json_point_through_its_escapes(texts: LineRedactor) -> None:
    """A value with escapes in a JSON string is found at its position in the line's text."""
    text = json.dumps({"note": 'say "hi" to ann@example.com\n\u00e9', "email": "x\u00e9@y.org"})
    document = output(run(texts, {"id": "a", "text": text})[0])
    found = [text[f["start"] : f["end"]] for f in document["findings"]]
    assert found == ["ann@example.com", "x\\u00e9@y.org"]
    assert json.loads(document["text"]).keys() == {"note", "email"}


def test_bad_lines_give_a_problem_and_nothing_of_themselves(texts: LineRedactor) -> None:
    """Lines around a bad one come out; the bad one says only what is wrong."""
    good = {"id": 1, "text": "fine"}
    bad = ['{"id": 1, "text": "ann@example.com"', "[]", '{"id": 1, "text": "x", "who": "ann"}', ""]
    lines = texts.lines([json.dumps(good), *bad, json.dumps(good)])
    assert [line.problem is None for line in lines] == [True, False, False, False, False, True]
    assert all(line.output is None and "ann" not in str(line.problem) for line in lines[1:5])


@pytest.mark.parametrize(("schema", "make"), [("trace", trace), ("feedback", feedback)])
def test_records_come_out_as_the_same_record(schema: LineSchema, make: Any) -> None:
    """Traces and feedback keep their fields and lose their persons."""
    records = [make(i) for i in range(3)]
    for i, document in enumerate(outputs(records, schema)):
        assert document is not None
        assert document["trace_id"] == records[i]["trace_id"]
        assert not [value for value in person(i) if value in json.dumps(document)]


def test_a_spawned_process_gives_the_same_lines(texts: LineRedactor) -> None:
    """The redactor survives pickling."""
    copy = pickle.loads(pickle.dumps(texts))  # noqa: S301  # made a line above
    document = {"id": 1, "text": "ann@example.com"}
    assert run(copy, document) == run(texts, document)


TALK = [
    "In Austin, on 3 May 2026, Ann Baxter-Lewis of Orbix asked for https://example.com/a.",
    "see https://example.com/Quarterly and 2026-05-03",
    json.dumps({"note": "Tom Hartley was in Lisbon", "when": "2026-05-03"}),
]


def test_texts_come_out_as_the_worker_would_store_them(texts: LineRedactor) -> None:
    """What a message of a user becomes in a trace, it becomes as a text."""
    worker = PolicyRedactor(load_policy("strict"), KEYS)
    batch = decoded([said(text) for text in TALK])
    assert worker.in_place(batch).passed == [0, 1, 2]
    stored = [record.messages[0].content for record in batch.records]
    lines = run(texts, *({"id": i, "text": text} for i, text in enumerate(TALK)))
    assert [output(line)["text"] for line in lines] == stored


def test_what_was_kept_is_counted_in_texts_and_records(texts: LineRedactor) -> None:
    """The same dates and URLs are counted in both."""
    line = run(texts, {"id": 1, "text": TALK[1]})[0]
    assert line.kept == {"DATE_TIME": 1, "URL": 1}
    records = build_redactor(load_policy("strict"), KEYS, audit=True, report=True)
    copy = pickle.loads(pickle.dumps(records))  # noqa: S301  # made a line above
    for redactor in (records, copy):
        (entry,) = redactor.redact(decoded([said(TALK[1])]), ingested_at=NOW).audit
        assert {count.type: count.count for count in entry.kept} == line.kept


def test_the_audit_counts_what_was_kept_where_it_is_asked_to() -> None:
    """Kept findings are among the counts, with the operator `keep`, but not replacements."""
    asked = build_redactor(load_policy("strict"), KEYS, audit=True, report=True)
    (entry,) = asked.redact(decoded([said(f"{TALK[1]} ann@example.com")]), ingested_at=NOW).audit
    counts = [(one.type, one.operator, one.count) for one in entry.counts]
    assert counts == [
        ("DATE_TIME", "keep", 1),
        ("EMAIL_ADDRESS", "placeholder", 1),
        ("URL", "keep", 1),
    ]
    assert [one.type for one in entry.positions] == ["EMAIL_ADDRESS"]
