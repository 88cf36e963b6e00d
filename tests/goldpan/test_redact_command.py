"""``goldpan redact``: JSON lines in, JSON lines out."""

import json
import subprocess
from pathlib import Path

import pytest

from goldpan.demo.traffic import load_shipped_conversations, make_feedback, make_traces
from goldpan.demo.wire_formats import encode_json
from tests.servers.shared_expressions import CHILD_PATH
from tests.servers.worker import TEST_KEY, run_goldpan

ENV = {"GOLDPAN_REDACT__KEY": TEST_KEY}
CONVERSATION = load_shipped_conversations()[0]
TRACES = make_traces(CONVERSATION, started_at=1_790_000_000_000_000)[:4]


Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four traces, and three lines that are none."""
    tmp_path = tmp_path_factory.mktemp("redact")
    lines = [encode_json(trace) for trace in TRACES]
    lines[1:1] = [b"not json mia.li@example.com", b"", b'{"trace_id": "mia_li_3668"}']
    file = tmp_path / "traces.jsonl"
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


@pytest.fixture(scope="module")
def done(traces: Path) -> Done:
    """What ``goldpan redact`` made of them."""
    return run_goldpan(ENV, "redact", str(traces))


def test_valid_lines_come_out_redacted_and_in_order(done: Done) -> None:
    """Each record keeps its fields; what is personal in them is replaced."""
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["trace_id"] for r in records] == [t["trace_id"] for t in TRACES]
    assert all(r.keys() >= t.keys() for r, t in zip(records, TRACES, strict=True))
    assert CONVERSATION.user_id not in done.stdout


def test_other_lines_are_named_without_their_content(traces: Path, done: Done) -> None:
    """File and line say where to look; the exit code says that something was left out."""
    assert done.returncode == 1
    assert [line.partition(": ")[2][: len(f"{traces}:2")] for line in done.stderr.splitlines()] == [
        f"{traces}:2",
        f"{traces}:4",
    ]
    assert "mia" not in done.stderr


def test_a_summary_for_machines(traces: Path) -> None:
    """With ``--json``, standard error is one JSON object."""
    done = run_goldpan(ENV, "redact", "--json", str(traces))
    summary = json.loads(done.stderr)
    assert summary["redacted"] == 4
    assert [(one["line"], one["reason"]) for one in summary["refused"]] == [
        (2, "not_json"),
        (4, "missing_field"),
    ]


def test_redacting_twice_changes_nothing(done: Done, tmp_path: Path) -> None:
    """The output is valid input, and what was replaced stays as it is."""
    again = tmp_path / "again.jsonl"
    again.write_text(done.stdout, encoding="utf-8")
    twice = run_goldpan(ENV, "redact", str(again))
    assert (twice.returncode, twice.stdout) == (0, done.stdout)


def test_feedback_has_a_schema_of_its_own(tmp_path: Path) -> None:
    """``--schema feedback`` reads the other kind of record."""
    events = [
        event
        for conversation in load_shipped_conversations()
        for event in make_feedback(conversation, make_traces(conversation, started_at=10**15 * 2))
    ]
    file = tmp_path / "feedback.jsonl"
    file.write_bytes(b"\n".join(encode_json(event) for event in events))
    done = run_goldpan(ENV, "redact", "--schema", "feedback", str(file))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(events)
    assert "@example.com" not in done.stdout


def test_without_a_key_nothing_is_redacted(traces: Path) -> None:
    """A missing key is a wrong setting, not a reason to let text through."""
    done = run_goldpan({}, "redact", str(traces))
    assert (done.returncode, done.stdout) == (2, "")


def test_plain_texts_come_with_their_findings(tmp_path: Path) -> None:
    """Offsets point into the text that was given; two processes give the lines in order."""
    texts = [f"write to person{i}@example.com" for i in range(700)]
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in enumerate(texts)))
    one = run_goldpan(ENV, "redact", "--schema", "text", str(file))
    two = run_goldpan(
        ENV | {"PYTHONPATH": CHILD_PATH}, "redact", "--schema", "text", "--workers", "2", str(file)
    )
    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    assert one.stdout == two.stdout
    for text, line in zip(texts, map(json.loads, one.stdout.splitlines()), strict=True):
        found = [f for f in line["findings"] if f["type"] == "EMAIL_ADDRESS"]
        assert [text[f["start"] : f["end"]] for f in found] == [text.removeprefix("write to ")]
        assert "@example.com" not in line["text"]


def test_the_report_tells_what_was_replaced_and_no_value(traces: Path, tmp_path: Path) -> None:
    """``--report`` writes a page with counts by type, and what was refused."""
    page = tmp_path / "report.html"
    run_goldpan(ENV, "redact", "--report", str(page), str(traces))
    text = page.read_text(encoding="utf-8")
    assert "USER_ID" in text
    assert "mia" not in text


def test_texts_of_other_tools_come_out_a_line_each(tmp_path: Path) -> None:
    """A byte order mark is no content, half a character is U+FFFD, no text ends a line early."""
    file = tmp_path / "texts.jsonl"
    lines = ['{"id": 1, "text": "first"}', '{"id": 2, "text": "cut \\ud83d, two\u2028lines\x85"}']
    file.write_text("\n".join(lines), encoding="utf-8-sig")
    done = run_goldpan(ENV, "redact", "--schema", "text", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    found = [json.loads(line)["text"] for line in done.stdout.splitlines()]
    assert found == ["first", "cut \ufffd, two\u2028lines\x85"]


def test_records_of_openai_s_shape_are_redacted_as_any(tmp_path: Path) -> None:
    """Parts of messages, arguments of calls, answers, users and metadata."""
    mail, user = "mia.li@example.com", "mia_li_3668"
    call = {"name": "find_user", "arguments": json.dumps({"email": mail})}
    document = {
        "app": "shop",
        "user": user,
        "metadata": {"note": f"ask {mail}"},
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": f"I am {mail}"}]},
            {"role": "user", "content": [{"type": "text", "text": mail}, {"type": "file"}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": call}],
            },
        ],
        "response": {
            "id": "chatcmpl-1",
            "created": 1_790_000_000,
            "choices": [{"message": {"role": "assistant", "content": f"Hello {user}, {mail}"}}],
        },
    }
    file = tmp_path / "theirs.jsonl"
    file.write_text(json.dumps(document))
    done = run_goldpan(ENV, "redact", "--schema", "trace", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert mail not in line
    assert user not in line
    stored = json.loads(line)
    assert stored["messages"][0]["content"].startswith("I am <EMAIL_ADDRESS:")
    assert stored["messages"][2]["tool_calls"][0]["name"] == "find_user"
    assert "<EMAIL_ADDRESS:" in stored["response"]
