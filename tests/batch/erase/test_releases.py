"""Releases lose the person too, also when all else was done by a run that died before them."""

import json
from pathlib import Path
from typing import Any

import pytest

from batch.erase.releases import ReleaseEraser
from batch.release.publish.build import draft_release as make_draft
from batch.release.publish.build import publish_draft
from lake.snapshot import open_snapshot
from redact.crypto.signing import Signer
from schemas.errors import UsageError
from tests.batch.erase.world import KEYS, WORDS, NoReleases, erasure, new_world
from tests.batch.kit import open_lake
from tests.batch.release.kit import OPTIONS, drafted, open_repository, spec
from tests.batch.release.people import WHOLE
from tests.edges.search import marks_in_folder
from tests.short_versions import short


class Dies(NoReleases):
    """Releases that are never reached."""

    def erase(self, *given: Any) -> list[dict[str, Any]]:
        """Raise what ends a process."""
        del given
        raise KeyboardInterrupt


@pytest.mark.parametrize("died", short([False, True], [True]))
def test_releases_lose_the_person(tmp_path: Path, died: bool) -> None:
    """By id, by mark where the tables know no id any more, and by the label events that went."""
    lake = new_world(tmp_path / "lake")
    there = open_repository(tmp_path / "lake" / "releases")
    draft = drafted(lake, window={"from": "2026-11-01", "to": "2027-01-01"}, **WHOLE)
    publish_draft(draft, there)
    assert marks_in_folder(tmp_path / "lake" / "releases", WORDS)
    if died:
        with pytest.raises(KeyboardInterrupt):
            erasure(open_lake(tmp_path / "lake"), releases=Dies()).run()
    releases = ReleaseEraser(there, Signer(KEYS.receipt), lambda _what, _done, _of: None)
    ended = erasure(open_lake(tmp_path / "lake"), releases=releases).run()
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    (told,) = json.loads(ended.receipt)["releases"]
    assert (told["rows"], told["successor"]) == (4, "2.0.0")
    assert told["mentions"] >= 4  # t02 and t03, and those whose labels rested on the person's word
    again = erasure(open_lake(tmp_path / "lake"), releases=releases).run()
    assert (again.already_done, again.receipt) == (True, ended.receipt)


def test_a_version_of_before_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """Its files are gone; the newest version can be drawn from."""
    lake = new_world(tmp_path / "lake")
    before = open_snapshot(lake, "traces")
    erasure(open_lake(tmp_path / "lake")).run()
    asked = spec(window={"from": "2026-11-01", "to": "2027-01-01"}, **WHOLE)
    labels = open_snapshot(open_lake(tmp_path / "lake"), "labels")
    with pytest.raises(UsageError, match="files of a table version that is read here are missing"):
        make_draft(asked, before, labels, OPTIONS)
    assert make_draft(asked, open_snapshot(open_lake(tmp_path / "lake"), "traces"), labels, OPTIONS)
