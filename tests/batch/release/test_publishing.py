"""A release is published completely or not at all, once, and every changed byte is detected."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st

from batch.release.format.files import CHECKSUMS, MANIFEST, WITHDRAWAL, sha256
from batch.release.format.version import FIRST_VERSION, ChangeLevel, SemanticVersion
from batch.release.publish.build import ReleaseDraft, assemble_files, publish_draft
from batch.release.publish.reference import parse_reference
from batch.release.publish.repository import ReleaseClaimError, ReleaseRepository
from batch.release.publish.verify import verify_release, withdrawal_mark
from lake.config import LakeSettings
from lake.objects import FolderStore
from lake.s3_store import S3Store
from lake.tables import Lake
from schemas.errors import UsageError
from tests.architecture.source import ROOT
from tests.batch.release.kit import built, contents, drafted, open_repository
from tests.batch.release.world import add, conversations, label, labels_for, make_lake
from tests.kill_harness import KILLED, outputs, start_module
from tests.lake.kit import patience
from tests.servers.s3 import S3
from tests.short_versions import run_examples, short


@pytest.fixture(scope="module")
def small_draft(conversation_lake: Lake) -> ReleaseDraft:
    """The draft of a small release."""
    return drafted(conversation_lake, size=16)


def test_built_twice_the_bytes_are_the_same(conversation_lake: Lake, tmp_path: Path) -> None:
    """Two builders with the same spec, seed and lake write the same bytes."""
    built(conversation_lake, tmp_path / "one")
    built(Lake(LakeSettings(uri=conversation_lake.location.uri)), tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_the_folder_holds_what_the_design_says(published_release: Path) -> None:
    """Data, starter, manifest, datasheet twice, contract, lineage, checksums; and all verify."""
    folder = published_release / "support" / "1.0.0"
    assert {path.name for path in folder.iterdir()} == {
        "SHA256SUMS",
        "contract.yaml",
        "data.parquet",
        "datasheet.html",
        "datasheet.md",
        "lineage.json",
        "manifest.json",
        "starter.jsonl",
    }
    verdict = verify_release(FolderStore(folder))
    assert (verdict.ok, verdict.rows, verdict.name, verdict.version) == (
        True,
        40,
        "support",
        "1.0.0",
    )
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", CHECKSUMS], cwd=folder, check=False
    )
    assert checked.returncode == 0


@pytest.mark.parametrize("examples", short([25, 60], [25]))
def test_any_changed_byte_is_detected(published_release: Path, examples: int) -> None:
    """Verification detects any byte of any file that is changed, removed or added."""
    run_examples(examples, lambda data: _change_a_byte(published_release, data), st.data())


def _change_a_byte(published_release: Path, data: st.DataObject) -> None:
    folder = published_release / "support" / "1.0.0"
    files = contents(folder)
    name = data.draw(st.sampled_from(sorted(files)))
    place = data.draw(st.integers(0, len(files[name]) - 1))
    kind = data.draw(st.sampled_from(["change", "remove", "insert"]))
    old = files[name]
    other = bytes([old[place] ^ data.draw(st.integers(1, 255))])
    new = old[:place] + (b"" if kind == "remove" else other) + old[place + (kind != "insert") :]
    if new == old:
        return
    try:
        (folder / name).write_bytes(new)
        assert not verify_release(FolderStore(folder)).ok
    finally:
        (folder / name).write_bytes(old)
    assert verify_release(FolderStore(folder)).ok


def test_an_impossible_time_is_detected(published_release: Path, tmp_path: Path) -> None:
    """Changed bytes may encode a time after the last year; verification reports that as damage."""
    folder = tmp_path / "copy"
    shutil.copytree(published_release / "support" / "1.0.0", folder)
    table = pq.read_table(folder / "data.parquet")
    at = next(i for i, f in enumerate(table.schema) if pa.types.is_temporal(f.type))
    field = table.schema.field(at)
    wide = pa.int32() if pa.types.is_date32(field.type) else pa.int64()
    beyond = pa.array([2**31 - 1 if wide == pa.int32() else 2**62] * len(table), wide)
    pq.write_table(table.set_column(at, field, beyond.view(field.type)), folder / "data.parquet")
    problems = verify_release(FolderStore(folder)).problems
    assert "data.parquet was changed" in problems
    assert any("no row can have" in one for one in problems)


def test_an_extra_or_missing_file_is_detected(published_release: Path, tmp_path: Path) -> None:
    """No file can be added to a release or removed from it."""
    folder = tmp_path / "copy"
    shutil.copytree(published_release / "support" / "1.0.0", folder)
    (folder / "notes.txt").write_text("x")
    assert "notes.txt does not belong here" in verify_release(FolderStore(folder)).problems
    (folder / "notes.txt").unlink()
    (folder / "data.parquet").unlink()
    assert "data.parquet is missing" in verify_release(FolderStore(folder)).problems


def test_a_rewritten_release_has_another_digest(conversation_lake: Lake, tmp_path: Path) -> None:
    """A consistent change of everything is detected by the pinned digest."""
    first = built(conversation_lake, tmp_path / "a", size=16)
    built(conversation_lake, tmp_path / "b", size=16, seed=9)
    folder = FolderStore(tmp_path / "b" / "support" / "1.0.0")
    assert verify_release(folder).ok
    assert not verify_release(folder, expected=first.digest).ok


def test_killed_at_each_step_the_next_run_completes_it(
    small_draft: ReleaseDraft, tmp_path: Path
) -> None:
    """SIGKILL before, in and after each write: no half release, and a rebuild completes it."""
    (tmp_path / "draft").write_bytes(pickle.dumps(small_draft))
    paths = [str(tmp_path / name) for name in ("draft", "shelves")]
    # The claim, seven files, the checksums.
    assert outputs([start_module("tests.batch.release.kill_jobs", "publish", *paths)]) == [9]
    publish_draft(small_draft, open_repository(tmp_path / "whole"))
    whole = contents(tmp_path / "whole")
    for folder in sorted((tmp_path / "shelves").iterdir()):
        there = open_repository(folder).versions("support")
        assert len(there) <= 1
        if there and there[0].published:
            assert verify_release(FolderStore(folder / "support" / "1.0.0")).ok
        else:
            with pytest.raises(UsageError, match="no release named support"):
                open_repository(folder).find(parse_reference("support"))
        publish_draft(small_draft, open_repository(folder))
        kept = {n: d for n, d in contents(folder).items() if ".writing-" not in n}
        assert kept == whole
        assert verify_release(FolderStore(folder / "support" / "1.0.0")).ok


def test_of_two_builders_one_wins_and_the_other_gets_an_error(
    conversation_lake: Lake, tmp_path: Path
) -> None:
    """While one builder is at work the other writes nothing; afterwards the other follows it."""
    one, two = drafted(conversation_lake, size=16), drafted(conversation_lake, size=16, seed=8)
    files = assemble_files(one, FIRST_VERSION, None)
    open_repository(tmp_path).put_new("support/claims/000001", _claim(files))
    before = contents(tmp_path)
    with pytest.raises(ReleaseClaimError, match=r"another builder has begun support 1\.0\.0"):
        publish_draft(two, open_repository(tmp_path))
    assert contents(tmp_path) == before
    assert publish_draft(one, open_repository(tmp_path)).version == FIRST_VERSION
    assert publish_draft(two, open_repository(tmp_path)).version == SemanticVersion(2, 0, 0)


def _claim(files: dict[str, bytes]) -> bytes:
    return f"1.0.0 sha256:{sha256(files[MANIFEST])}\n".encode()


def test_the_claim_of_a_dead_builder_can_be_taken_over(
    conversation_lake: Lake, tmp_path: Path
) -> None:
    """Its version is skipped; if the builder comes back, it gets an error."""
    one, two = drafted(conversation_lake, size=16), drafted(conversation_lake, size=16, seed=8)
    files = assemble_files(one, FIRST_VERSION, None)
    open_repository(tmp_path).put_new("support/claims/000001", _claim(files))
    made = publish_draft(two, open_repository(tmp_path), take_over=True)
    assert made.version == SemanticVersion(2, 0, 0)
    repository = open_repository(tmp_path)
    with pytest.raises(ReleaseClaimError, match="was abandoned"):
        repository.publish(repository.claim("support", 1, FIRST_VERSION, files), files)
    states = [(s.version, s.published, s.abandoned) for s in repository.versions("support")]
    assert states == [(FIRST_VERSION, False, True), (SemanticVersion(2, 0, 0), True, False)]


def test_versions_follow_from_what_changed(tmp_path: Path) -> None:
    """Nothing new: no version. Rows added: minor. Removed or relabelled: major. Else: patch."""
    traces = conversations(2)
    events = labels_for(traces)
    lake = make_lake(tmp_path / "lake", traces, events)
    out = tmp_path / "out"

    def build(**changes: object) -> tuple[str, ChangeLevel]:
        asked: dict[str, object] = {"strata": [], "allocation": {}, "size": 10, **changes}
        made = built(lake, out, **asked)
        return str(made.version), made.level

    assert build() == ("1.0.0", ChangeLevel.MAJOR)
    assert build() == ("1.0.0", ChangeLevel.NONE)
    assert build(size=14) == ("1.1.0", ChangeLevel.MINOR)
    assert build(size=14, description="other words") == ("1.1.1", ChangeLevel.PATCH)
    assert build(size=9) == ("2.0.0", ChangeLevel.MAJOR)
    kept = open_repository(out).find(parse_reference("support"))
    manifest = json.loads(open_repository(out).read(kept, MANIFEST))
    assert manifest["previous"]["version"] == "1.1.1"
    assert manifest["previous"]["changes"]["removed"] == 5
    add(lake, "labels", [label(t, 0.99, revision=9) for t in traces])
    assert build(size=9) == ("3.0.0", ChangeLevel.MAJOR)
    kept = open_repository(out).find(parse_reference("support"))
    changed = json.loads(open_repository(out).read(kept, MANIFEST))["previous"]["changes"]
    assert changed["relabelled"] > 0
    assert changed["added"] == changed["removed"] == 0


def test_references_resolve(tmp_path: Path, conversation_lake: Lake) -> None:
    """By latest, major, minor, exact version and digest; a withdrawn version only exactly."""
    digests = {}
    for seed in (1, 2, 3):
        made = built(conversation_lake, tmp_path, seed=seed, size=16)
        digests[str(made.version)] = made.digest
    here = open_repository(tmp_path)

    def found(text: str) -> str:
        return str(here.find(parse_reference(text)).version)

    assert found("support") == found("support@latest") == found("support@3") == "3.0.0"
    assert found("support@2.0") == found("support@2.0.0") == "2.0.0"
    assert found(f"support@sha256:{digests['1.0.0'][:12]}") == "1.0.0"
    assert here.put_new(f"support/3.0.0/{WITHDRAWAL}", withdrawal_mark(digests["3.0.0"], "wrong"))
    assert found("support@latest") == "2.0.0"
    assert found("support@3.0.0") == "3.0.0"
    with pytest.raises(UsageError, match=r"no version 3; there are: 1\.0\.0, 2\.0\.0"):
        found("support@3")
    verdict = verify_release(FolderStore(tmp_path / "support" / "3.0.0"))
    assert (verdict.ok, verdict.withdrawn) == (True, "wrong")


KILLED_WHILE_WITHDRAWING = """
import sys
from pathlib import Path
from batch.release.publish.verify import withdrawal_mark
from lake.objects import FolderStore
from tests.kill_harness import die

root, digest, moment = sys.argv[1:]
if moment == "before":
    Path.hardlink_to = die
FolderStore(Path(root)).put_new("support/1.0.0/WITHDRAWN.json", withdrawal_mark(digest, "wrong"))
die()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_while_withdrawing(
    conversation_lake: Lake, small_draft: ReleaseDraft, tmp_path: Path, moment: str
) -> None:
    """After SIGKILL the release is withdrawn or not, and valid either way; repeating works."""
    made = publish_draft(small_draft, open_repository(tmp_path))
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WITHDRAWING, str(tmp_path), made.digest, moment],
        cwd=ROOT,
        check=False,
    )
    assert killed.returncode == KILLED
    (one,) = open_repository(tmp_path).versions("support")
    assert one.withdrawn == (moment == "after")
    verdict = verify_release(FolderStore(tmp_path / "support" / "1.0.0"), expected=made.digest)
    assert (verdict.ok, verdict.withdrawn) == (True, "wrong" if one.withdrawn else None)
    assert open_repository(tmp_path).put_new(
        "support/1.0.0/WITHDRAWN.json", withdrawal_mark(made.digest, "wrong")
    )
    assert open_repository(tmp_path).versions("support")[0].withdrawn


def test_on_s3_the_same_bytes_and_one_winner(
    s3: S3, small_draft: ReleaseDraft, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a real S3 server a release is published, found and verified; two claims conflict."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    bucket = s3.create_bucket()
    store = S3Store(bucket, "releases", endpoint_url=s3.endpoint)
    on_s3 = ReleaseRepository(store, patience())
    files = assemble_files(small_draft, FIRST_VERSION, None)
    on_s3.put_new("support/claims/000001", b"1.0.0 sha256:other\n")
    with pytest.raises(ReleaseClaimError):
        publish_draft(small_draft, on_s3)
    made = publish_draft(small_draft, on_s3, take_over=True)
    assert made.version == SemanticVersion(2, 0, 0)
    publish_draft(small_draft, open_repository(tmp_path))
    assert verify_release(store, "support/2.0.0/", made.digest).ok
    assert store.get("support/2.0.0/data.parquet") == files["data.parquet"]
