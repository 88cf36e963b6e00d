"""An erasure that is killed or interrupted by others ends as it would have ended alone."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from batch.release.erasure.erase import erase_from_releases, find_affected_versions
from batch.release.format.files import CHECKSUMS, DATA, STARTER
from batch.release.format.rows import json_rows
from batch.release.format.version import FIRST_VERSION, SemanticVersion
from batch.release.publish.build import ReleaseDraft, assemble_files, publish_draft
from batch.release.publish.repository import ReleaseClaimError, ReleaseRepository
from batch.release.publish.verify import ERASURE_UNDER_WAY, verify_release
from lake.objects import FolderStore
from lake.s3_store import S3Store
from lake.tables import Lake
from schemas.errors import FatalError
from tests.batch.release.kit import contents, drafted, open_repository
from tests.batch.release.people import (
    WHOLE,
    erased,
    order,
    populated,
    rows_of,
    texts_in,
    values_of,
    wanted,
)
from tests.kill_harness import MOMENTS, InterruptedStore, outputs, start_module
from tests.lake.kit import patience
from tests.servers.s3 import S3

SMALL = {**WHOLE, "size": 12, "where": {"segments.plan": ["gold", "silver", "free"]}}


@pytest.fixture(scope="module")
def person_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with a person to erase."""
    return populated(tmp_path_factory.mktemp("faults") / "lake")


@pytest.fixture(scope="module")
def person_draft(person_lake: Lake) -> ReleaseDraft:
    """A draft with rows of the person and of others."""
    made = drafted(person_lake, **SMALL)
    assert 0 < sum(1 for row in made.rows.column("user_id").to_pylist() if row) < 500
    return made


@pytest.fixture(scope="module")
def published_person(person_draft: ReleaseDraft, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that release."""
    folder = tmp_path_factory.mktemp("original")
    publish_draft(person_draft, open_repository(folder))
    return folder


def _without_debris(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(folder).items() if ".writing-" not in name}


def _killed(original: Path, folder: Path, *moment: str) -> None:
    """Kill at every step; until it continues, the release is as before, as after, or incomplete."""
    erase = ("tests.batch.release.kill_jobs", "erase", str(original), str(folder), *moment)
    # The fence; note, two files, checksums; a successor's nine.
    assert outputs([start_module(*erase)]) == [14]
    going = [row for row in rows_of(original / "support" / "1.0.0") if wanted().match(row)]
    assert going
    *cut, whole = sorted(folder.iterdir())
    states = set()
    for one in cut:
        verdict = verify_release(FolderStore(one / "support" / "1.0.0"))
        assert verdict.ok or verdict.problems == [ERASURE_UNDER_WAY]
        states.add((verdict.ok, verdict.erased))
        erase_from_releases(open_repository(one), wanted(), order(1))
        assert contents(one) == contents(whole)
    assert states == {(True, 0), (False, len(going)), (True, len(going))}
    texts = [texts_in(path) for path in whole.rglob("*") if path.is_file()]
    assert not any(value in text for value in values_of(going) for text in texts)


def test_killed_at_each_step_the_next_run_completes_it(
    published_person: Path, tmp_path: Path
) -> None:
    """SIGKILL before, in or after each write: never silently good, and the same end."""
    _killed(published_person, tmp_path)


@pytest.mark.chaos
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_each_moment_of_each_step(
    published_person: Path, tmp_path: Path, moment: str
) -> None:
    """The same with every moment at every step."""
    _killed(published_person, tmp_path, moment)


def _steps(original: Path, folder: Path, act: Callable[[ReleaseRepository], object]) -> int:
    """Return how many writes an operation on a copy of the folder takes."""
    shutil.copytree(original, folder)
    store = InterruptedStore(folder, 0, MOMENTS[0], lambda: None)
    act(ReleaseRepository(store, patience()))
    return store.writes


def test_concurrent_erasures_remove_the_rows_of_both(
    published_person: Path, tmp_path: Path
) -> None:
    """Whenever another erasure runs in between, no row returns, and all versions verify."""
    rows = rows_of(published_person / "support" / "1.0.0")
    others = [row["trace_id"] for row in rows if not wanted().match(row)][:2]

    def one(here: ReleaseRepository) -> object:
        return erase_from_releases(here, wanted(), order(1))

    for step in range(1, _steps(published_person, tmp_path / "alone", one) + 1):
        out = tmp_path / str(step)
        shutil.copytree(published_person, out)
        store = InterruptedStore(
            out, step, MOMENTS[0], partial(erased, open_repository(out), others, 2)
        )
        one(ReleaseRepository(store, patience()))
        left = [row for row in rows if not wanted().match(row) and row["trace_id"] not in others]
        for folder in (out / "support").glob("[0-9]*"):
            if (folder / CHECKSUMS).stat().st_size:
                assert verify_release(FolderStore(folder)).ok
                assert rows_of(folder) == left
            else:
                assert (folder / DATA).read_bytes() == b""
        newest = open_repository(out).versions("support")[-1]
        assert (newest.state, newest.erased) == ("published", False)


def _nothing_of_the_person(draft: ReleaseDraft, folder: Path) -> bool:
    values = values_of(row for row in json_rows(draft.rows) if wanted().match(row))
    texts = [texts_in(path) for path in folder.rglob("*") if path.is_file()]
    return not any(value in text for value in values for text in texts)


@pytest.mark.parametrize("moment", [MOMENTS[0], MOMENTS[2]])
def test_a_build_during_an_erasure_publishes_no_erased_row(
    person_draft: ReleaseDraft, tmp_path: Path, moment: str
) -> None:
    """Whenever the erasure runs, nothing of the person is left; the builder may build again."""
    newer = {table: pinned["version"] + 1 for table, pinned in person_draft.facts["lake"].items()}
    assert not _nothing_of_the_person(person_draft, _published(person_draft, tmp_path / "0"))
    for step in range(1, 10):
        out = tmp_path / str(step)
        store = InterruptedStore(
            out,
            step,
            moment,
            partial(erase_from_releases, open_repository(out), wanted(), order(1, newer)),
        )
        with suppress(ReleaseClaimError):
            publish_draft(person_draft, ReleaseRepository(store, patience()))
        assert store.writes >= step
        assert _nothing_of_the_person(person_draft, out), step
        with pytest.raises(
            ReleaseClaimError, match="rows of table traces were erased after version"
        ):
            publish_draft(person_draft, open_repository(out))


def _published(draft: ReleaseDraft, folder: Path) -> Path:
    publish_draft(draft, open_repository(folder))
    return folder


def test_begun_and_abandoned_versions_are_emptied(
    person_draft: ReleaseDraft, tmp_path: Path
) -> None:
    """Rows of an unpublished version are erased too, and a late builder cannot restore them."""
    files = assemble_files(person_draft, FIRST_VERSION, None)
    here = open_repository(tmp_path)
    begun = here.claim("support", 1, FIRST_VERSION, files)
    here.put_new(f"{begun.folder}/{DATA}", files[DATA])
    here.abandon(begun)
    late = here.claim("support", 2, SemanticVersion(2, 0, 0), files)
    here.put_new(f"{late.folder}/{DATA}", files[DATA])
    states = [(one.version, one.state) for one in find_affected_versions(here, wanted())]
    assert states == [("1.0.0", "abandoned"), ("2.0.0", "begun")]
    told = erase_from_releases(here, wanted(), order(1))
    assert [(one.version, one.state) for one in told] == [
        ("1.0.0", "abandoned"),
        ("2.0.0", "abandoned"),
    ]
    with pytest.raises(ReleaseClaimError, match="abandoned"):
        here.publish(late, files)
    assert _nothing_of_the_person(person_draft, tmp_path)
    assert find_affected_versions(here, wanted()) == []


def test_a_build_without_matching_rows_is_undisturbed(
    person_draft: ReleaseDraft, tmp_path: Path
) -> None:
    """An erasure of a person without rows in it does not disturb a version that was begun."""
    files = assemble_files(person_draft, FIRST_VERSION, None)
    here = open_repository(tmp_path)
    begun = here.claim("support", 1, FIRST_VERSION, files)
    here.put_new(f"{begun.folder}/{DATA}", files[DATA])
    assert erased(here, ["nobody"], 1) == []
    here.publish(begun, files)
    assert verify_release(FolderStore(tmp_path / begun.folder)).ok


def test_a_build_after_an_erasure_makes_the_next_version(person_lake: Lake, tmp_path: Path) -> None:
    """It is compared with the remaining rows, and is major if rows were erased."""
    publish_draft(drafted(person_lake, **SMALL), open_repository(tmp_path))
    store = InterruptedStore(tmp_path, 6, MOMENTS[0], _stop)
    with pytest.raises(KeyboardInterrupt):  # before the successor
        erase_from_releases(ReleaseRepository(store, patience()), wanted(), order(1))
    made = publish_draft(drafted(person_lake, **{**SMALL, "seed": 5}), open_repository(tmp_path))
    assert (str(made.version), made.level, made.changes.erased > 0) == ("2.0.0", "major", True)
    told = erase_from_releases(open_repository(tmp_path), wanted(), order(1))
    assert told[0].successor is None
    assert verify_release(FolderStore(tmp_path / "support" / "2.0.0")).ok


def _stop() -> None:
    raise KeyboardInterrupt


def test_an_unreadable_file_is_reported(published_person: Path, tmp_path: Path) -> None:
    """An unreadable file is reported; the rows are erased from all other versions."""
    here = open_repository(tmp_path / "out")
    shutil.copytree(published_person, tmp_path / "out")
    shutil.copytree(published_person / "support", tmp_path / "out" / "damaged")
    (tmp_path / "out" / "damaged" / "1.0.0" / DATA).write_bytes(b"PAR1")
    told = r"damaged/1\.0\.0: data\.parquet cannot be read"
    with pytest.raises(FatalError, match=told):
        find_affected_versions(here, wanted())
    with pytest.raises(FatalError, match=told):
        erase_from_releases(here, wanted(), order(1))
    assert verify_release(FolderStore(tmp_path / "out" / "support" / "1.0.0")).erased > 0
    shutil.rmtree(tmp_path / "out" / "damaged" / "1.0.0")
    assert erase_from_releases(here, wanted(), order(1))[0].successor == "2.0.0"


def test_on_s3_older_versions_are_removed_too(
    s3: S3, person_draft: ReleaseDraft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a bucket that keeps versions nothing of the person is left in any of them."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    bucket, client = s3.create_bucket(), s3.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    here = ReleaseRepository(S3Store(bucket, "releases", endpoint_url=s3.endpoint), patience())
    publish_draft(person_draft, here)
    client.delete_object(Bucket=bucket, Key="releases/support/1.0.0/starter.jsonl")
    here.files.put(
        "support/1.0.0/starter.jsonl", assemble_files(person_draft, FIRST_VERSION, None)[STARTER]
    )
    told = erase_from_releases(here, wanted(), order(1))
    assert told[0].successor == "2.0.0"
    for number, one in enumerate(client.list_object_versions(Bucket=bucket)["Versions"]):
        kept = client.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
        file = tmp_path / str(number) / Path(one["Key"]).name
        file.parent.mkdir()
        file.write_bytes(kept["Body"].read())
    assert _nothing_of_the_person(person_draft, tmp_path)
    assert verify_release(here.files, "support/1.0.0/").erased == told[0].rows + told[0].mentions
    assert erase_from_releases(here, wanted(), order(1)) == told
