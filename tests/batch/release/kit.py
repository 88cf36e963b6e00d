"""Shared by the tests of releases: a lake of real conversations, a spec, a builder."""

import tempfile
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from batch.release.publish.build import (
    BuildOptions,
    BuildResult,
    ReleaseDraft,
    draft_release,
    publish_draft,
)
from batch.release.publish.repository import ReleaseRepository
from batch.release.sampling.duckdb_engine import DuckDbEngine
from batch.release.sampling.selection import Selection, select_rows
from batch.release.sampling.spec import ReleaseSpec, parse_spec
from batch.release.sampling.synthetic_rows import SyntheticOffer
from lake.objects import FolderStore
from lake.snapshot import open_snapshot
from lake.tables import Lake
from tests.lake.kit import patience

OPTIONS = BuildOptions(key=b"k" * 32, memory_bytes=2**30, code={"goldpan": "test"})
DOCUMENT: dict[str, Any] = {
    "name": "support",
    "description": "Questions to the airline's support.",
    "seed": 3,
    "window": {"from": "2026-11-01", "to": "2026-12-01"},
    "size": 40,
    "strata": ["label", "status"],
    "allocation": {"by": "error_biased", "floor": 2},
    "redaction_policies": "any",
    "labels": {"accept": ["pass", "fail", "unknown", "none"]},
    "near_duplicates": None,
    "holdout": {"share": 0.3},
}


def spec(**changes: Any) -> ReleaseSpec:
    """Return the spec of the tests with some keys changed; None takes one out, or is null."""
    return parse_spec(yaml.safe_dump({**DOCUMENT, **changes}), "spec.yaml")


_drafts: dict[tuple[Any, ...], tuple[Lake, ReleaseDraft]] = {}


def drafted(lake: Lake, *, offered: SyntheticOffer | None = None, **changes: Any) -> ReleaseDraft:
    """Return the draft of a release from the newest versions of a lake.

    What many tests ask of one `Lake` is drafted once: who wants it done again makes another.
    """
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    asked = spec(**changes)
    if offered is not None:
        return draft_release(asked, traces, labels, OPTIONS, offered)
    key = id(lake), traces.version, labels.version, repr(asked)
    if key not in _drafts:
        _drafts[key] = lake, draft_release(asked, traces, labels, OPTIONS)
    draft = _drafts[key][1]
    return replace(draft, facts=deepcopy(draft.facts))


def selected(lake: Lake, **changes: Any) -> Selection:
    """Return what a spec selects from the newest versions of a lake."""
    asked = spec(**changes)
    traces, labels = open_snapshot(lake, "traces"), open_snapshot(lake, "labels")
    with (
        tempfile.TemporaryDirectory() as folder,
        DuckDbEngine(asked, traces, labels, folder=Path(folder), memory_bytes=2**30) as engine,
    ):
        return select_rows(asked, engine, lambda _what: None)


def open_repository(folder: Path) -> ReleaseRepository:
    """Return the releases in a folder."""
    return ReleaseRepository(FolderStore(folder), patience())


def built(lake: Lake, folder: Path, **changes: Any) -> BuildResult:
    """Build and publish a release into a folder."""
    return publish_draft(drafted(lake, **changes), open_repository(folder))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
