"""What a user of ``goldpan redact`` relies on: a line in, a line out, nothing of a bad line."""

import json
import pickle
from typing import Any

import pytest

from redact.policy import load_policy
from redact.text import Line, LineRedactor, redact_jsonl
from tests.make.records import feedback, person, trace
from tests.redact.kit import KEYS


@pytest.fixture(scope="module")
def texts() -> LineRedactor:
    """Return a redactor of texts."""
    return LineRedactor(load_policy("strict"), KEYS, "text")


def run(redactor: LineRedactor, *documents: Any) -> list[Line]:
    """Redact documents."""
    return list(redact_jsonl([json.dumps(d) for d in documents], redactor, block=2))


def output(line: Line) -> dict[str, Any]:
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
    """A value behind escapes inside a JSON string is found at its place in the line's text."""
    text = json.dumps({"note": 'say "hi" to ann@example.com\n\u00e9', "email": "x\u00e9@y.org"})
    document = output(run(texts, {"id": "a", "text": text})[0])
    found = [text[f["start"] : f["end"]] for f in document["findings"]]
    assert found == ["ann@example.com", "x\\u00e9@y.org"]
    assert json.loads(document["text"]).keys() == {"note", "email"}


def test_bad_lines_give_a_problem_and_nothing_of_themselves(texts: LineRedactor) -> None:
    """Lines around a bad one come out; the bad one says only what is wrong."""
    good = {"id": 1, "text": "fine"}
    bad = ['{"id": 1, "text": "ann@example.com"', "[]", '{"id": 1, "text": "x", "who": "ann"}', ""]
    lines = list(redact_jsonl([json.dumps(good), *bad, json.dumps(good)], texts))
    assert [line.problem is None for line in lines] == [True, False, False, False, False, True]
    assert all(line.output is None and "ann" not in str(line.problem) for line in lines[1:5])


@pytest.mark.parametrize(("schema", "make"), [("trace", trace), ("feedback", feedback)])
def test_records_come_out_as_the_same_record(schema: Any, make: Any) -> None:
    """Traces and feedback keep their fields and lose their persons."""
    redactor = LineRedactor(load_policy("strict"), KEYS, schema)
    records = [make(i) for i in range(3)]
    for i, line in enumerate(run(redactor, *records)):
        document = output(line)
        assert document["trace_id"] == records[i]["trace_id"]
        assert not [value for value in person(i) if value in json.dumps(document)]


def test_a_spawned_process_gives_the_same_lines(texts: LineRedactor) -> None:
    """The redactor survives pickling."""
    copy = pickle.loads(pickle.dumps(texts))  # noqa: S301  # made a line above
    document = {"id": 1, "text": "ann@example.com"}
    assert run(copy, document) == run(texts, document)
