"""What the tests of releases share: a lake of real conversations, a spec, a builder."""

import tempfile
from pathlib import Path
from typing import Any

import yaml

from batch.release.build import Built, Draft, Means, draft, publish
from batch.release.engine import Engine
from batch.release.selection import Selection, select
from batch.release.shelf import Shelf
from batch.release.spec import Spec, parse_spec
from batch.release.synthetic import Offered
from lake.objects import FolderStore
from lake.snapshot import snapshot
from lake.tables import Lake
from tests.lake.kit import patience

MEANS = Means(key=b"k" * 32, memory_bytes=2**30, code={"goldpan": "test"})
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


def spec(**changes: Any) -> Spec:
    """Return the spec of the tests with some keys changed; None takes one out, or is null."""
    return parse_spec(yaml.safe_dump({**DOCUMENT, **changes}), "spec.yaml")


def drafted(lake: Lake, *, offered: Offered | None = None, **changes: Any) -> Draft:
    """Return the draft of a release from the newest versions of a lake."""
    traces, labels = snapshot(lake, "traces"), snapshot(lake, "labels")
    return draft(spec(**changes), traces, labels, MEANS, offered)


def selected(lake: Lake, **changes: Any) -> Selection:
    """Return what a spec selects from the newest versions of a lake."""
    asked = spec(**changes)
    traces, labels = snapshot(lake, "traces"), snapshot(lake, "labels")
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine(asked, traces, labels, folder=Path(folder), memory_bytes=2**30) as engine,
    ):
        return select(asked, traces, engine, lambda _what: None)


def shelf(folder: Path) -> Shelf:
    """Return the shelf in a folder."""
    return Shelf(FolderStore(folder), patience())


def built(lake: Lake, folder: Path, **changes: Any) -> Built:
    """Build and publish a release into a folder."""
    return publish(drafted(lake, **changes), shelf(folder))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
