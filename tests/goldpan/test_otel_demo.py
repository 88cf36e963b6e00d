"""`goldpan demo --source otel`: captured traffic goes from the broker to labels, redacted."""

import json
from pathlib import Path
from typing import Any

import pytest

from goldpan.demo.otel_run import SOURCES, load_captured_records
from lake.config import LakeSettings
from lake.tables import Lake
from otel.formats import decode_signals
from schemas.arrow import TABLES
from tests.otel.planted_values import all_text, planted
from tests.servers.worker import run_goldpan


def test_the_records_are_those_of_real_products() -> None:
    """Every record can be read, each format is there, and nothing names a machine."""
    items = load_captured_records()
    assert {item.topic for item in items} == SOURCES.keys()
    everything = b"".join(item.value for item in items)
    for part in (b"host.name", b"os.description", b"process.command"):
        assert part not in everything
    for item in items:
        signals = decode_signals(SOURCES[item.topic], item.value, item.headers)  # type: ignore[arg-type]  # a format
        assert signals.readable
        assert signals.rejected == ()


@pytest.fixture(scope="module")
def otel_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The kept lake of one run, and its answer."""
    folder = tmp_path_factory.mktemp("otel-demo") / "kept"
    done = run_goldpan({}, "demo", "--source", "otel", "--keep", str(folder), "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, json.loads(done.stdout)


def test_it_ends_with_labels(otel_demo: tuple[Path, dict[str, Any]]) -> None:
    """Spans of every format, whole traces, feedback and labels, and a sound ledger."""
    _, answer = otel_demo
    assert answer["ok"]
    formats = {name.split()[0] for name in answer["otel_spans"]}
    assert formats == {"otlp", "mlflow", "langsmith", "phoenix"}
    assert answer["traces"] > 40
    assert answer["traces_with_tools"] > 5
    assert answer["feedback"] > 5
    assert sum(answer["labels"].values()) > 5
    assert answer["example"]["tools"]


def test_nothing_personal_is_in_the_lake(otel_demo: tuple[Path, dict[str, Any]]) -> None:
    """Not one personal value of the captured turns, in any row, in the log, or in the answer."""
    folder, answer = otel_demo
    lake = Lake(LakeSettings(uri=str(folder / "lake")))
    texts = [json.dumps(answer), (folder / "worker.log").read_text(encoding="utf-8")]
    for name in ("otel_spans", "traces", "feedback", "labels"):
        table = lake.table(name)
        table.refresh()
        texts.append(all_text(table.read(TABLES[name].arrow.names).to_pylist()))
    values = {value for source in CAPTURED for value in planted(source) if len(value) > 8}
    assert len(values) > 20
    assert [value for value in values for text in texts if value in text] == []


CAPTURED = ("openinference_openai_0.1.66", "otel_openai_v2_2.0b0_events", "mlflow_3.17.2")
