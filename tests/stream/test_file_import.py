"""A file is taken into the lake exactly once, whatever happens to the importer."""

import base64
import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from goldpan.cli.main import run_command
from goldpan.import_setup import read_import_file, set_up_import
from goldpan.settings import load_settings
from lake.config import LakeSettings
from lake.tables import Lake
from lake.verify import verify_lake
from schemas.errors import UsageError
from stream.failpoints import FlushStep
from stream.file_import import FileImport
from tests.otel.make_spans import request
from tests.short_versions import short

STEPS = (
    FlushStep.QUARANTINE_WRITTEN,
    FlushStep.PRIMARY_WRITTEN,
    FlushStep.QUARANTINE_COMMITTED,
    FlushStep.AUDIT_COMMITTED,
    FlushStep.PRIMARY_COMMITTED,
)
LINES = 5


class KilledError(BaseException):
    """The process ends here."""


@pytest.fixture
def import_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """An empty lake, and settings for it."""
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / "lake"))
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", base64.b64encode(bytes(range(32))).decode())
    lake = Lake(LakeSettings(uri=str(tmp_path / "lake")))
    lake.init()
    return lake


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A file with good records, one of another kind, and one span with an id that is too long."""
    lines = [_line(number) for number in range(LINES)]
    lines[2] = {"hello": "world"}
    lines[4]["id"] = "x" * 600
    file = tmp_path / "runs.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def _line(number: int) -> dict[str, Any]:
    return {
        "id": f"r-{number}", "trace_id": f"r-{number}", "run_type": "llm", "name": "ChatOpenAI",
        "start_time": f"2026-11-2{number % 3}T10:00:00Z", "end_time": "2026-11-23T10:00:01Z",
        "inputs": {"messages": [{"role": "user", "content": f"mail me: ada{number}@example.org"}]},
        "outputs": {"choices": [{"message": {"role": "assistant", "content": "done"}}]},
    }  # fmt: skip


def importer(
    reached: Callable[[FlushStep], None] = lambda _: None,
    *,
    part_bytes: int = 1,
    like: FileImport | None = None,
) -> FileImport:
    """Return an importer that commits parts of a size; ``like`` lends it its redactor."""
    made = like or set_up_import(load_settings(), "langsmith")
    return replace(made, runner=replace(made.runner, reached=reached), part_bytes=part_bytes)


def places(lake: Lake, table: str) -> list[tuple[str, int, int]]:
    """Return the coordinates of a table's rows."""
    found = lake.table(table)
    found.refresh()
    rows = found.read(["_topic", "_offset", "_index"])
    return sorted(
        (topic.as_py(), offset.as_py(), index.as_py() or 0)
        for topic, offset, index in zip(*rows.columns, strict=True)
    )


def check(lake: Lake, file: Path) -> None:
    """Each record of the file is in one table once, and the ledger accounts for it."""
    topic = read_import_file(file).source.topic
    assert places(lake, "otel_spans") == [(topic, n, 0) for n in (0, 1, 3)]
    assert places(lake, "quarantine") == [(topic, n, 0) for n in (2, 4)]
    assert places(lake, "redactions") == [(topic, n, 0) for n in (0, 1, 3)]
    assert verify_lake(lake).ok


@pytest.mark.parametrize("part_bytes", short([1, 2**20], [1]))
@pytest.mark.parametrize("step", short(STEPS, STEPS[2::2]))
def test_killed_after_any_step_it_continues(
    import_lake: Lake, export: Path, step: FlushStep, part_bytes: int
) -> None:
    """Again and again, at each record: nothing is lost, and nothing is there twice."""
    made = importer()
    for number in range(LINES if part_bytes == 1 else 2):
        left = [number]

        def reached(now: FlushStep, left: list[int] = left) -> None:
            left[0] -= now is step
            if left[0] < 0:
                raise KilledError

        try:
            importer(reached, part_bytes=part_bytes, like=made).run(read_import_file(export))
        except KilledError:
            continue
    importer(like=made).run(read_import_file(export))
    check(import_lake, export)


def test_a_second_importer_at_the_same_time_adds_nothing(import_lake: Lake, export: Path) -> None:
    """It is rejected where the first one was faster, reads the positions again and goes on."""
    other = importer()

    def reached(step: FlushStep) -> None:
        if step is FlushStep.PRIMARY_WRITTEN and not done:
            done.append(other.run(read_import_file(export)).stored)

    done: list[int] = []
    report = importer(reached).run(read_import_file(export))
    assert (done, report.stored, report.known) == ([3], 0, LINES)
    check(import_lake, export)


def test_the_command_imports_a_file_once(
    import_lake: Lake, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also compressed and under another name; its traces are assembled, redacted."""
    packed = export.with_name("again.jsonl.gz")
    packed.write_bytes(gzip.compress(export.read_bytes()))
    answers = []
    for file in (export, packed, export):
        assert run_command(["import", "--format", "langsmith", str(file), "--json"]) in {0, 1}
        answers.append(json.loads(capsys.readouterr().out))
    assert [a["files"][0]["stored"] for a in answers] == [3, 0, 0]
    assert [a["files"][0]["imported_before"] for a in answers] == [0, LINES, LINES]
    assert [a["traces"]["new"] for a in answers] == [3, 0, 0]
    traces = import_lake.table("traces")
    traces.refresh()
    rows = traces.read(["trace_id", "response", "messages"]).to_pylist()
    assert sorted(row["trace_id"] for row in rows) == ["r-0", "r-1", "r-3"]
    assert {row["response"] for row in rows} == {"done"}
    assert "@example.org" not in str(rows)


def test_without_the_key_verify_says_that_rows_were_not_compared(
    import_lake: Lake,
    export: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In text and in JSON; with the key it compares them."""
    assert run_command(["import", "--format", "langsmith", str(export)]) in {0, 1}
    assert places(import_lake, "traces")
    answers = []
    for env in ("set", "unset"):
        if env == "unset":
            monkeypatch.delenv("GOLDPAN_REDACT__KEY")
        for form in ([], ["--json"]):
            capsys.readouterr()
            assert run_command(["lake", "verify", "--deep", *form]) == 0
            answers.append(capsys.readouterr().out)
    with_key, without_key = json.loads(answers[1])["assembled"], json.loads(answers[3])["assembled"]
    assert "assembled rows against their spans: 3 equal" in answers[0]
    assert with_key["equal"] == 3
    assert "assembled rows were not compared with their spans: No redaction key" in answers[2]
    assert "GOLDPAN_REDACT__KEY" in without_key["not_checked"]


def test_what_was_imported_is_assembled_after_a_crash(
    import_lake: Lake, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command again: nothing to import, and the rows of its traces."""
    importer().run(read_import_file(export))
    assert run_command(["import", "--format", "langsmith", str(export), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["files"][0]["stored"], answer["traces"]["new"]) == (0, 3)
    assert places(import_lake, "otel_spans")


def test_an_import_creates_a_new_lake_if_it_may(
    import_lake: Lake,
    export: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As the worker does; with `never` it says what to do."""
    del import_lake
    monkeypatch.setenv("GOLDPAN_LAKE__URI", str(tmp_path / "new"))
    monkeypatch.setenv("GOLDPAN_LAKE__CREATE", "never")
    assert run_command(["import", "--format", "langsmith", str(export)]) == 3
    assert "goldpan lake init" in capsys.readouterr().err.replace("\n", " ")
    monkeypatch.delenv("GOLDPAN_LAKE__CREATE")
    assert run_command(["import", "--format", "langsmith", str(export), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["traces"]["new"] == 3


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Forty megabytes of lines, packed; one record is in memory at a time."""
    file = tmp_path / "large.jsonl.gz"
    line = json.dumps({"id": "r", "note": "x" * 10_000}).encode() + b"\n"
    with gzip.open(file, "wb", compresslevel=1) as out:
        for _ in range(4_000):
            out.write(line)
    tracemalloc.start()
    imported = read_import_file(file)
    assert sum(len(record.value or b"") for record in imported.read()) == 4_000 * (len(line) - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert imported.count == 4_000
    assert peak < 4 * 2**20


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Its digest would name another content."""
    file = tmp_path / "growing.jsonl"
    file.write_text('{"id": 1}\n{"id": 2}\n')
    records = read_import_file(file).read()
    next(records)
    file.write_text('{"id": 1}\n{"id": 2}\n{"id": 3}\n')
    with pytest.raises(UsageError, match="changed while it was read"):
        list(records)


def test_a_pipe_can_be_imported(tmp_path: Path, export: Path) -> None:
    """It is copied first, since it is read more than once."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_bytes, export.read_bytes())
        piped = read_import_file(pipe)
    assert (piped.digest, piped.count) == (read_import_file(export).digest, LINES)
    assert list(piped.read()) == list(read_import_file(export).read())


def test_a_file_of_another_format_changes_nothing(
    import_lake: Lake, export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says to choose another format."""
    spans = tmp_path / "spans.bin"
    spans.write_bytes(request("a").SerializeToString())
    assert run_command(["import", "--format", "langsmith", str(spans)]) == 2
    assert "Choose another --format" in capsys.readouterr().err
    with pytest.raises(UsageError, match="empty"):
        read_import_file(_empty(tmp_path))
    assert places(import_lake, "otel_spans") == []
    assert places(import_lake, "quarantine") == []
    assert export.exists()


def _empty(folder: Path) -> Path:
    file = folder / "empty.jsonl"
    file.write_bytes(b"\n")
    return file


def test_a_file_of_lines_that_are_too_long_names_the_setting(
    import_lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another format would not help; UTF-16 is named too."""
    del import_lake
    monkeypatch.setenv("GOLDPAN_STREAM__MAX_RECORD_BYTES", "2000")
    file = tmp_path / "long.jsonl"
    line = json.dumps(_line(0) | {"note": "x" * 3_000})
    file.write_text(line + "\n", encoding="utf-8")
    assert run_command(["import", "--format", "langsmith", str(file)]) == 2
    error = capsys.readouterr().err
    assert "GOLDPAN_STREAM__MAX_RECORD_BYTES" in error.replace("\n", "")
    assert "--format" not in error
    file.write_text(line, encoding="utf-16")
    with pytest.raises(UsageError, match="UTF-16"):
        read_import_file(file)
