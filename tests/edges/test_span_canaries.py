"""Nothing personal of captured traffic is in a file of the lake: spans, traces, quarantine, audit.

Captures are imported and assembled, with a span that is set aside; then every byte is searched.
`tests/goldpan/test_otel_demo.py` searches less in `make test`.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from goldpan.cli.main import run_command
from tests.edges.search import marks_in, marks_in_folder
from tests.otel.captures import FOLDER, read_truth
from tests.otel.planted_values import planted
from tests.servers.lake_reader import LakeReader

pytestmark = pytest.mark.chaos
SOURCES = (
    ("otel_openai_v2_2.0b0_events", "otlp", "*.otlp_proto.jsonl.gz"),
    ("mlflow_3.17.2", "mlflow", "*.native_mlflow.json.jsonl.gz"),
)
SET_ASIDE = "gvogel13@example.net"


@dataclass(frozen=True)
class FilledLake:
    """A lake with captured traffic, and what must not be in it."""

    folder: Path
    words: list[str]
    env: dict[str, str]


@pytest.fixture(scope="module")
def filled_lake(tmp_path_factory: pytest.TempPathFactory) -> FilledLake:
    """Import captures of two products and a bad span, and assemble the traces."""
    folder = tmp_path_factory.mktemp("spans")
    env = {
        "GOLDPAN_LAKE__URI": str(folder / "lake"),
        "GOLDPAN_REDACT__KEY": base64.b64encode(bytes(range(32))).decode(),
    }
    bad = folder / "bad.jsonl"
    span = {"traceId": "ab", "spanId": "cd", "name": SET_ASIDE}
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    bad.write_text(json.dumps(request) + "\n", encoding="utf-8")
    words = {SET_ASIDE}
    commands = [["lake", "init"]]
    for source, form, pattern in SOURCES:
        files = sorted(str(path) for path in FOLDER.glob(f"{source}{pattern}"))
        files += [str(bad)] if form == "otlp" else []
        commands.append(["import", "--format", form, *files])
        words |= planted(source)
    commands.append(["otel", "reconcile", "--days", "3650"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        for command in commands:
            assert run_command(command) in {0, 1}, command[:3]
    return FilledLake(folder / "lake", sorted(words), env)


def test_spans_and_traces_are_there(filled_lake: FilledLake) -> None:
    """The captures are stored and assembled, the bad span is set aside, the audit lists all."""
    lake = LakeReader(filled_lake.env)
    assert lake.rows("otel_spans").num_rows > 300
    assert lake.rows("traces").num_rows > 40
    assert lake.rows("quarantine").num_rows == 1
    assert lake.rows("redactions").num_rows >= lake.rows("otel_spans").num_rows
    assert len(filled_lake.words) > 40


def test_no_byte_of_the_lake_is_personal(filled_lake: FilledLake) -> None:
    """Neither as it lies in a file nor unpacked: rows, statistics, logs of tables."""
    assert marks_in_folder(filled_lake.folder, filled_lake.words) == []


def test_the_search_finds_what_is_there(filled_lake: FilledLake) -> None:
    """The captures themselves hold the words that are searched for."""
    turns = "".join(json.dumps(turn, ensure_ascii=False) for turn in read_truth())
    there = [word for word in filled_lake.words if marks_in(turns, [word])]
    assert len(there) == len(filled_lake.words)
