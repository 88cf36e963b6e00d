"""Releases from earlier versions of goldpan verify, and the same lake builds them again."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from batch.release.format.files import (
    CHECKSUMS,
    CONTRACT,
    DATA,
    DATASHEET,
    DATASHEET_HTML,
    LINEAGE,
    MANIFEST,
    STARTER,
    sha256,
)
from batch.release.format.manifest import encode_manifest, read_manifest
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import SyntheticRow
from batch.release.format.version import ChangeLevel, SemanticVersion
from batch.release.publish.build import (
    BuildOptions,
    ReleaseDraft,
    assemble_files,
    draft_release,
    publish_draft,
)
from batch.release.publish.verify import verify_release
from batch.release.sampling.spec import load_spec
from batch.release.sampling.synthetic_rows import SyntheticOffer
from lake.config import LakeSettings
from lake.objects import FolderStore
from lake.snapshot import open_snapshot
from lake.table_layouts import TABLE_LAYOUTS
from lake.tables import Lake
from lake.upgrade import upgrade_lake
from redact.crypto.signing import Signer
from tests.batch.release.kit import open_repository
from tests.lake.kit import patience

KEPT = Path(__file__).parents[2] / "data" / "releases"
GOLDEN = KEPT / "releases" / "golden"
PUBLISHER, ERASER = (Signer(seed * 32).public for seed in (b"p", b"s"))
OPTIONS = BuildOptions(key=b"k" * 32, memory_bytes=2**30, code={"goldpan": "0.2.0"})
PAGES = (DATASHEET, DATASHEET_HTML, CONTRACT)
"""The files with words for people, which a later version may write in another way."""


class Published(NamedTuple):
    """A release that was published, and what its verification has to find."""

    folder: str
    digest: str
    rows: int
    erased: int = 0
    withdrawn: str | None = None
    eraser: str | None = None
    publisher: str | None = None


@pytest.mark.parametrize(
    "release",
    [
        Published(
            "releases/golden/1.0.0",
            "94f33556fcbda8c80450f03d70e9a900537c09b61c18d19c4e939ac756958eac",
            rows=28,
            withdrawn="Some labels were wrong.",
            publisher=PUBLISHER,
        ),
        Published(
            "releases/golden/2.0.0",
            "2992a2537857285832cef868141daf05b963e13f40e7d9bc177a02e72fa82948",
            rows=36,
            publisher=PUBLISHER,
        ),
        Published(
            "erased/forgetting/1.0.0",
            "a6a8ec08de1ba0e3e17e4b16594adecb974d50470afc119df97b0660c35d0a37",
            rows=27,
            erased=3,
            eraser=ERASER,
            publisher=PUBLISHER,
        ),
        Published(
            "erased/forgetting/2.0.0",
            "4698f86a2b0a67f98a934ec71e504242ecb2987c20ca0a4423c7ac2cf786d03b",
            rows=27,
        ),
        Published(
            "format-1/format-one/1.0.0",
            "b78120d92709eef8c17bf49adf5d78c0b8a2b947cd4db9878df3bda8fa651c4a",
            rows=6,
        ),
    ],
    ids=lambda release: release.folder,
)
def test_an_earlier_release_verifies(release: Published) -> None:
    """Every digest that was pinned holds, with its erasures, signatures and withdrawal."""
    found = verify_release(
        FolderStore(KEPT / release.folder), "", release.digest, release.eraser, release.publisher
    )
    assert found.problems == []
    assert found.rows == release.rows
    assert (found.erased, found.signed_by) == (release.erased, release.eraser)
    assert found.withdrawn == release.withdrawn
    assert found.publishers == ([release.publisher] if release.publisher else [])


@pytest.fixture(scope="module")
def earlier_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A copy of the lake that the earlier releases were built from, upgraded to this version."""
    folder = tmp_path_factory.mktemp("earlier") / "lake"
    shutil.copytree(KEPT / "lake", folder)
    lake = Lake(LakeSettings(uri=str(folder)))
    others = [name for name in TABLE_LAYOUTS if not (folder / name).exists()]
    lake.init(others, lost=others)
    upgrade_lake(lake, patience())
    return lake


def synthetic_offer() -> SyntheticOffer:
    """Return the synthetic rows that the releases were offered."""
    lines = (KEPT / "synthetic.jsonl").read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines]
    for row in rows:
        row |= {name: datetime.fromisoformat(row[name]) for name in ("started_at", "_ingested_at")}
    return SyntheticOffer("paraphraser-2", "5" * 64, cast("list[SyntheticRow]", rows))


def rebuilt(lake: Lake, version: str) -> ReleaseDraft:
    """Return the draft of a version of the release, from the table versions of its manifest."""
    tables = read_manifest((GOLDEN / version / MANIFEST).read_bytes())["lake"]
    traces, labels = (open_snapshot(lake, name, tables[name]["version"]) for name in tables)
    spec = load_spec(KEPT / f"golden-{version[0]}.yaml")
    return draft_release(spec, traces, labels, OPTIONS, synthetic_offer())


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
def test_the_same_lake_builds_the_same_release(earlier_lake: Lake, version: str) -> None:
    """Rows, commitments, data and, with the texts of the pages held, the digest are the same."""
    kept = {path.name: path.read_bytes() for path in (GOLDEN / version).iterdir()}
    manifest = read_manifest(kept[MANIFEST])
    draft = rebuilt(earlier_lake, version)
    number = SemanticVersion.parse(version)
    files = assemble_files(draft, number, manifest["previous"])
    assert json.loads(files[MANIFEST])["rows_sha256"] == manifest["rows_sha256"]
    assert files[STARTER] == kept[STARTER]
    assert files[LINEAGE] == kept[LINEAGE]
    assert read_release_rows(files[DATA]) == read_release_rows(kept[DATA])
    if writer_of(files[DATA]) == writer_of(kept[DATA]):  # another pyarrow writes other bytes
        assert files[DATA] == kept[DATA]
    held = {name: kept[name] for name in manifest["files"]}
    again = encode_manifest(
        draft.facts, number, held, manifest["previous"], manifest["starter_rows"]
    )
    assert sha256(again) == sha256(kept[MANIFEST])


def writer_of(data: bytes) -> str:
    """Return the name and version of the library that wrote a Parquet file."""
    return str(pq.read_metadata(pa.BufferReader(data)).created_by)


def test_building_again_publishes_nothing(earlier_lake: Lake, tmp_path: Path) -> None:
    """The next build of an unchanged spec finds the version that an earlier goldpan published."""
    shutil.copytree(KEPT / "releases", tmp_path / "releases")
    built = publish_draft(rebuilt(earlier_lake, "2.0.0"), open_repository(tmp_path / "releases"))
    assert (built.level, str(built.version)) == (ChangeLevel.NONE, "2.0.0")
    assert built.digest == sha256((GOLDEN / "2.0.0" / MANIFEST).read_bytes())


def test_every_file_is_in_the_same_place(earlier_lake: Lake) -> None:
    """A version has the same files as before."""
    files = assemble_files(rebuilt(earlier_lake, "1.0.0"), SemanticVersion(1, 0, 0), None)
    signed = {path.name for path in (GOLDEN / "1.0.0").iterdir()}
    assert set(files) == {name for name in signed if not name.startswith(("SIGNED-", "WITHDRAWN"))}
    assert {*PAGES, DATA, STARTER, LINEAGE, MANIFEST, CHECKSUMS} == set(files)
