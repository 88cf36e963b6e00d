"""`goldpan otel explain`: places and reasons, and content only where it is asked for."""

import gzip
import json
from pathlib import Path

from tests.docs.pages import code_blocks
from tests.otel.captures import FOLDER, read_truth
from tests.otel.make_spans import TRACE, request
from tests.servers.worker import run_goldpan

SOURCE = "otel_openai_v2_2.0b0_events"
SPANS = FOLDER / f"{SOURCE}.spans.otlp_json.jsonl.gz"
LOGS = FOLDER / f"{SOURCE}.logs.otlp_json.jsonl.gz"


def test_a_capture_is_explained_without_its_content() -> None:
    """Each trace has a dialect, the place of each field, or the reason why it has no row."""
    done = run_goldpan({}, "otel", "explain", str(SPANS), str(LOGS), "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    turns = [turn for turn in read_truth() if turn["source"] == SOURCE]
    assert answer["rows"] == 64
    assert {t["reason"] for t in answer["traces"] if not t["has_row"]} >= {
        "no span of a language model application"
    }
    fields = next(t["fields"] for t in answer["traces"] if t["trace_id"] == turns[0]["trace_id"])
    assert fields["messages"]["place"] == "log gen_ai.*.message"
    assert fields["session_id"]["place"] == "session.id"
    for turn in turns:
        assert turn["user_id"] not in done.stdout
        assert turn["user_message"][:30] not in done.stdout


def test_a_person_reads_the_same(tmp_path: Path) -> None:
    """A line for each field, and a summary."""
    file = tmp_path / "spans.bin"
    sent = request("chat")
    sent.resource_spans[0].scope_spans[0].spans[0].attributes.add(
        key="gen_ai.operation.name"
    ).value.string_value = "chat"
    file.write_bytes(sent.SerializeToString())
    done = run_goldpan({}, "otel", "explain", str(file))
    assert done.returncode == 0
    assert done.stdout.startswith(f"{TRACE}  1 span, otel_events: a row\n")
    assert "model_provider   gen_ai.system (span 0000000000000001)\n" in done.stdout
    assert done.stdout.endswith("1 trace, 1 row, 0 feedback, 0 set aside\n")


def test_content_is_shown_where_it_is_asked_for() -> None:
    """With --show-content the row itself is there."""
    done = run_goldpan({}, "otel", "explain", str(SPANS), str(LOGS), "--json", "--show-content")
    rows = [trace["row"] for trace in json.loads(done.stdout)["traces"] if trace["has_row"]]
    assert any(row["response"] == "You are welcome!" for row in rows)


def test_a_native_format_reads_its_headers() -> None:
    """Runs and feedback of LangSmith in one file."""
    file = FOLDER / "langsmith_0.14.17_batchjson.native_langsmith.json.jsonl.gz"
    done = run_goldpan({}, "otel", "explain", "--format", "langsmith", str(file), "--json")
    answer = json.loads(done.stdout)
    assert (answer["rows"], len(answer["feedback"])) == (28, 5)
    assert all(item["trace_id"] for item in answer["feedback"])


def test_a_span_that_cannot_be_read_gives_exit_code_1(tmp_path: Path) -> None:
    """It is named by its line and its index, and the others are explained."""
    sent = request("a", "b")
    sent.resource_spans[0].scope_spans[0].spans[0].span_id = b"\1"
    file = tmp_path / "spans.bin.gz"
    file.write_bytes(gzip.compress(sent.SerializeToString()))
    done = run_goldpan({}, "otel", "explain", str(file))
    assert done.returncode == 1
    assert "  line 1, item 0: span_id has 1 bytes, not 8\n" in done.stdout


def test_the_command_of_the_page_reads_what_kcat_writes(tmp_path: Path) -> None:
    """`docs/otel.md`: the captured records are lines of ``kcat -J``, as the page makes them."""
    blocks = [block for block in code_blocks("docs/otel.md") if block.language == "sh"]
    [block] = [block for block in blocks if "kcat" in block.text]
    kcat, explain = block.text.strip().splitlines()
    assert kcat.startswith("kcat -C ")
    assert kcat.endswith(" -J > spans.jsonl")
    arguments = explain.removeprefix("goldpan ").split()
    assert arguments.pop() == "spans.jsonl"
    file = tmp_path / "spans.jsonl"
    file.write_bytes(gzip.decompress(SPANS.read_bytes()))
    assert {"topic", "payload", "headers"} <= json.loads(file.open().readline()).keys()
    done = run_goldpan({}, *arguments, str(file))
    assert done.returncode == 0
    assert done.stdout.endswith("84 traces, 64 rows, 0 feedback, 0 set aside\n")


def test_a_file_of_another_format_is_a_clear_error(tmp_path: Path) -> None:
    """It names the file, the format and the option, and nothing that the file holds."""
    file = tmp_path / "notes.txt"
    file.write_text("sesame-4711\n")
    done = run_goldpan({}, "otel", "explain", str(file))
    assert done.returncode == 2
    assert f"{file}: no record can be read as otlp" in done.stderr
    assert "choose another --format" in done.stderr
    assert "4711" not in done.stderr + done.stdout
    file.write_text("")
    assert "the file is empty" in run_goldpan({}, "otel", "explain", str(file)).stderr
