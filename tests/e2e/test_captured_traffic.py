"""All captured traffic on topics of one broker, through the worker, against the truth.

Each trace comes several times: over OTLP in protobuf and JSON, with and without keys, and from
MLflow as native bodies too. It is one row all the same.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from otel.capture_files import read_capture
from otel.formats import SIGNAL_FORMATS, SignalFormat, decode_signals
from otel.stored_spans import to_stored_spans
from tests.e2e.item_scene import ItemScene, captured_records
from tests.edges.search import marks_in, marks_in_folder
from tests.otel.captures import CAPTURES, FOLDER, read_truth
from tests.otel.planted_values import all_text, listed_values
from tests.otel.truth_score import compare_rows, counted
from tests.servers.fixtures import StartWorker
from tests.servers.mock_kafka import QUICK, MockKafka

TRUTH = "truth.jsonl.gz"
ALL = pytest.param("*", marks=pytest.mark.chaos)
NATIVE_TRACES = "[lm]*native_*"


def format_of(name: str) -> SignalFormat:
    """Return the format of a captured file, by its name."""
    native = name.partition(".native_")[2].partition(".")[0]
    return next((form for form in SIGNAL_FORMATS if form == native), "otlp")


def captured_files(pattern: str) -> list[Path]:
    """Return the files of captured records."""
    return sorted(path for path in FOLDER.glob(f"{pattern}.jsonl.gz") if path.name != TRUTH)


def send_captures(kafka: MockKafka, folder: Path, pattern: str = "*") -> ItemScene:
    """Put captured files on topics of their own."""
    scene = ItemScene(kafka.bootstrap, folder, more={"kafka__properties": dict(QUICK)})
    for path in captured_files(pattern):
        topic = path.name.removesuffix(".jsonl.gz")
        scene.produce(topic, format_of(path.name), captured_records(path.name))
    return scene


def rows_in_force(scene: ItemScene) -> dict[str, Mapping[str, Any]]:
    """Return the row with the highest revision of each trace."""
    rows = sorted(scene.reader.rows("traces").to_pylist(), key=lambda row: row["revision"])
    return {row["trace_id"]: row for row in rows}


@pytest.mark.parametrize("pattern", [NATIVE_TRACES, ALL])
def test_rows_of_captured_traffic_say_what_happened(
    mock_kafka: MockKafka, tmp_path: Path, start_worker: StartWorker, pattern: str
) -> None:
    """Each turn has a row, nothing else has one, and its fields are those of the truth."""
    scene = send_captures(mock_kafka, tmp_path, pattern)
    start_worker(scene.env, "--until-caught-up").finish()
    scene.assert_exactly_once()
    rows = rows_in_force(scene)
    sources = {
        source: encoding
        for source, encoding in CAPTURES
        if any(topic.startswith(source) for topic in scene.sources)
    }
    cells = [
        cell
        for source, encoding in sources.items()
        for cell in counted(list(compare_rows(source, encoding, rows)))
    ]
    assert len(cells) > 100
    missed = [cell for cell in cells if not cell.matches]
    assert len(missed) <= 0.01 * len(cells), missed[:5]
    turns = [turn for turn in read_truth() if turn["source"] in sources]
    assert rows.keys() <= {trace_id for turn in turns for trace_id in turn["all_trace_ids"]}


@pytest.mark.chaos
def test_no_listed_value_is_in_anything_written(
    mock_kafka: MockKafka, tmp_path: Path, start_worker: StartWorker
) -> None:
    """Each planted value that the truth lists is gone from every file; its decoys stay."""
    scene = send_captures(mock_kafka, tmp_path)
    scene.more["redact__policy"] = None
    worker = start_worker(scene.env, "--until-caught-up")
    worker.finish(280)
    personal, decoys = listed_values()
    assert (len(personal) > 150, len(decoys) > 20) == (True, True)
    assert marks_in_folder(tmp_path / "lake", sorted(personal)) == []
    assert marks_in(worker.log_text() + worker.out_text(), sorted(personal)) == []
    sent, stored = all_text(sent_rows()), all_text(scene.reader.rows("otel_spans").to_pylist())
    kept = [min(sent.count(decoy), stored.count(decoy)) for decoy in decoys]
    assert sum(kept) >= 0.98 * sum(map(sent.count, decoys))


def sent_rows() -> list[Any]:
    """Return the rows of all captured files before redaction."""
    rows: list[Any] = []
    for path in captured_files("*"):
        form = format_of(path.name)
        for record in read_capture(path.read_bytes()):
            signals = decode_signals(form, record.value, record.headers)
            stored = to_stored_spans(signals, form, fallback_us=10**15, most_bytes=2**28)
            rows += [msgspec.to_builtins(row) for _, row in stored.rows]
    return rows
