"""The query and the check of a signature on `docs/releases.md`, as they stand there."""

import base64
import json
from pathlib import Path

import duckdb
import pytest
from cryptography.exceptions import InvalidSignature
from deltalake import DeltaTable

from goldpan.cli.main import run_command
from tests.batch.kit import open_lake, put
from tests.batch.release.world import conversations, labels_for, make_lake
from tests.docs.pages import code_blocks
from tests.labels.kit import trace
from tests.servers.worker import TEST_KEY

BLOCKS = {block.language: block.text for block in code_blocks("docs/releases.md")}


def test_the_query_finds_ids_that_came_with_other_content(tmp_path: Path) -> None:
    """The one whose answer differs, and not the one that came twice alike."""
    lake = open_lake(tmp_path / "lake")
    lake.init()
    same, other = trace("t-same"), [trace("t-other", response=text) for text in ("Yes.", "No.")]
    put(lake, [same, same, *other])
    traces = DeltaTable(str(tmp_path / "lake/traces")).to_pyarrow_dataset()
    assert "delta_scan('lake/traces')" in BLOCKS["sql"]
    query = BLOCKS["sql"].replace("delta_scan('lake/traces')", "traces")
    with duckdb.connect() as connection:
        connection.register("traces", traces)
        assert connection.sql(query).fetchall() == [("t-other", 2)]


def test_the_lines_that_check_a_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They pass on a signed version, and raise when the signed text is another."""
    traces = conversations(2)
    make_lake(tmp_path / "lake", traces, labels_for(traces))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    key = base64.b64encode(bytes(range(7, 39))).decode()
    monkeypatch.setenv("GOLDPAN_RELEASE__SIGNING_KEY", key)
    Path("s.yaml").write_text(
        "name: s\nwindow: {from: 2026-11-01, to: 2026-12-01}\nsize: 10\nstrata: [label]\n"
        "allocation: {by: proportional}\nredaction_policies: any\nseed: 1\n"
    )
    assert run_command(["release", "build", "s.yaml"]) == 0
    [signature] = tmp_path.glob("lake/releases/s/1.0.0/SIGNED-*.json")
    lines = BLOCKS["python"].replace("SIGNED-….json", str(signature))
    exec(compile(lines, "docs/releases.md", "exec"), {})  # noqa: S102 - the page's own lines
    changed = json.loads(signature.read_text()) | {"digest": "0" * 64}
    signature.write_text(json.dumps(changed))
    with pytest.raises(InvalidSignature):
        exec(compile(lines, "docs/releases.md", "exec"), {})  # noqa: S102 - the page's own lines
