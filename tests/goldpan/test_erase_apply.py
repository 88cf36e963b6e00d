"""A lake is put back from before an erasure: nobody reads it until that is applied again."""

import base64
import json
import shutil
from pathlib import Path

import pytest

from batch.release.publish.build import publish_draft
from goldpan import key_check
from goldpan.settings import load_settings
from lake import tombstones
from lake.tombstones import Tombstone
from tests.batch.erase.world import PERSON, SEAL, WORDS, new_world, person, rows_of
from tests.batch.kit import open_lake
from tests.batch.release.kit import drafted, open_repository
from tests.batch.release.people import WHOLE
from tests.edges.search import marks_in, marks_in_folder
from tests.servers.in_process import Run, runner, work_in
from tests.short_versions import short

READERS = [
    ("lake", "verify"),
    ("lake", "tables"),
    ("lake", "init"),
    ("release", "list"),
    ("quarantine", "list"),
    ("review", "stats"),
    ("labels", "reconcile"),
    ("erase", "--subject", "somebody-else"),
]


@pytest.fixture(scope="module")
def released_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which the person left traces everywhere, and a release of all of it."""
    made = tmp_path_factory.mktemp("world") / "lake"
    lake = new_world(made)
    draft = drafted(lake, window={"from": "2026-11-01", "to": "2027-01-01"}, **WHOLE)
    publish_draft(draft, open_repository(made / "releases"))
    return made


@pytest.fixture
def run_apply(
    released_world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run goldpan on a lake whose erasures are kept a second time, in this process."""
    shutil.copytree(released_world, tmp_path / "lake")
    shutil.copytree(released_world, tmp_path / "backup")
    work_in(tmp_path, monkeypatch)
    monkeypatch.setenv("GOLDPAN_LAKE__ERASURES_COPY", "kept")

    called = runner(capsys)
    assert called("lake", "init").returncode == 0
    return called


def put_back(tmp_path: Path) -> None:
    """Lose the lake, and copy the backup to where it was."""
    shutil.rmtree(tmp_path / "lake")
    shutil.copytree(tmp_path / "backup", tmp_path / "lake")


def tables(tmp_path: Path) -> dict[str, list[str]]:
    """The ids in the tables that a person stands in."""
    lake = open_lake(tmp_path / "lake")
    ids = {"traces": "trace_id", "feedback": "feedback_id", "quarantine": "_offset"}
    return {name: [str(row[column]) for row in rows_of(lake, name)] for name, column in ids.items()}


def test_nobody_reads_an_older_lake_before_the_erasure_is_applied(
    run_apply: Run, tmp_path: Path
) -> None:
    """Each reader is refused, also in the middle; then the same is gone as before, to the byte."""
    done = json.loads(run_apply("erase", "--subject", PERSON, "--json").stdout)
    after = tables(tmp_path)
    put_back(tmp_path)
    assert marks_in_folder(tmp_path / "lake", WORDS)
    for reader in READERS:
        told = run_apply(*reader)
        assert (told.returncode, told.stdout) == (3, ""), reader
        assert "goldpan erase apply" in told.stderr, reader
    applied = run_apply("erase", "apply", "--json")
    assert (applied.returncode, applied.stderr) == (0, "")
    assert marks_in(applied.stdout, WORDS) == []
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    assert tables(tmp_path) == after
    said = json.loads(applied.stdout)
    assert said["applied"] == done["receipt"]["erasures"]
    released = [
        [(one["name"], one["version"], one["rows"]) for one in some["receipt"]["releases"]]
        for some in (said, done)
    ]
    assert released[0] == released[1] != []
    proof = run_apply("lake", "verify", "--deep")
    assert (proof.returncode, proof.stderr) == (0, ""), proof.stdout
    assert "no erasure is newer" in run_apply("erase", "apply").stdout
    assert (
        run_apply("erase", "verify", f"lake/erasures/{said['erasure']}.receipt.json").returncode
        == 0
    )
    again = json.loads(run_apply("erase", "--subject", PERSON, "--json").stdout)
    assert again["again"]


def test_killed_on_the_way_it_still_refuses_and_goes_on(
    run_apply: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tombstones are there, the rows too: a reader must not be let in by the former."""
    assert run_apply("erase", "--subject", PERSON).returncode == 0
    put_back(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr("batch.erase.erasure.remove_rows", lambda *_: 1 // 0)
        assert run_apply("erase", "apply").returncode == 3
    assert (tmp_path / "lake" / "erasures" / "3.json").exists()
    assert run_apply("lake", "tables").returncode == 3
    assert run_apply("erase", "apply").returncode == 0
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    assert run_apply("lake", "tables").returncode == 0


def test_whoever_comes_back_later_is_kept_out_no_longer_than_before(
    run_apply: Run, tmp_path: Path
) -> None:
    """Tombstones of the second run do not move the time up to which a person is kept out."""
    assert run_apply("erase", "--subject", PERSON).returncode == 0
    store = tombstones.open_tombstones(open_lake(tmp_path / "lake").location)
    until = max(one.until_us for one in tombstones.read_tombstones(store))
    put_back(tmp_path)
    assert run_apply("erase", "apply").returncode == 0
    found = tombstones.read_tombstones(store)
    assert len(found) > 3
    assert max(one.until_us for one in found) == until


@pytest.mark.chaos
def test_without_the_setting_a_folder_that_was_copied_will_do(
    run_apply: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand: the folder of the lake, copied after the erasure, and two persons one by one."""
    monkeypatch.delenv("GOLDPAN_LAKE__ERASURES_COPY")
    assert run_apply("erase", "--subject", PERSON).returncode == 0
    assert run_apply("erase", "--subject", "other-1").returncode == 0
    shutil.copytree(tmp_path / "lake" / "erasures", tmp_path / "by-hand")
    after = tables(tmp_path)
    put_back(tmp_path)
    assert "--from FOLDER" in run_apply("erase", "apply").stderr
    assert run_apply("erase", "apply", "--from", "by-hand").returncode == 0
    assert tables(tmp_path) == after
    assert marks_in_folder(tmp_path / "lake", [*WORDS, person("other-1")]) == []


@pytest.mark.chaos
def test_a_backup_between_two_erasures_applies_the_second_only(
    run_apply: Run, tmp_path: Path
) -> None:
    """What the backup has seen is done; the person of the second goes, and nobody else."""
    assert run_apply("erase", "--subject", "other-1").returncode == 0
    shutil.rmtree(tmp_path / "backup")
    shutil.copytree(tmp_path / "lake", tmp_path / "backup")
    second = json.loads(run_apply("erase", "--subject", PERSON, "--json").stdout)["receipt"]
    after = tables(tmp_path)
    put_back(tmp_path)
    assert run_apply("release", "list").returncode == 3
    assert json.loads(run_apply("erase", "apply", "--json").stdout)["applied"] == second["erasures"]
    assert tables(tmp_path) == after
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    assert run_apply("lake", "verify", "--deep").returncode == 0


def test_a_new_lake_in_the_place_of_a_lost_one_keeps_them_out(
    run_apply: Run, tmp_path: Path
) -> None:
    """No backup at all: topics are read again, so the tombstones must be there first."""
    assert run_apply("erase", "--subject", PERSON).returncode == 0
    shutil.rmtree(tmp_path / "lake")
    assert run_apply("lake", "init").returncode == 3
    assert run_apply("erase", "apply").returncode == 0
    assert run_apply("lake", "init").returncode == 0
    assert (tmp_path / "lake" / "erasures" / "3.json").exists()


@pytest.mark.chaos
def test_an_erasure_that_was_not_finished_is_not_made_out_to_be(
    run_apply: Run, tmp_path: Path
) -> None:
    """Its person is kept out, and the erasure stays one to go on with."""
    assert run_apply("erase", "--subject", PERSON).returncode == 0
    store = tombstones.open_tombstones(open_lake(tmp_path / "lake").location)
    tombstones.put_tombstone(store, lambda number: Tombstone(number, 1, {_name(store): ["0"]}))
    assert run_apply("erase", "--subject", "nobody-at-all").returncode == 0
    put_back(tmp_path)
    assert json.loads(run_apply("erase", "apply", "--json").stdout)["unfinished"] == [4]
    assert json.loads(run_apply("erase", "list", "--json").stdout)["unfinished"] == [4]


def _name(store: object) -> str:
    """The name of the key that tombstones are made with."""
    return next(iter(tombstones.read_tombstones(store)[0].subjects))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "what", short(["changed_receipt", "other_key", "used_before"], ["changed_receipt"])
)
def test_copies_that_cannot_be_right_are_refused(
    run_apply: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """And nothing is begun."""
    assert run_apply("erase", "--subject", PERSON).returncode == 0
    put_back(tmp_path)
    if what == "changed_receipt":
        receipt = tmp_path / "kept" / "3.receipt.json"
        receipt.write_text(receipt.read_text().replace('"mentions": 2', '"mentions": 1'))
    elif what == "other_key":
        monkeypatch.setenv("GOLDPAN_REDACT__KEY", base64.b64encode(bytes(32)).decode())
    else:
        monkeypatch.setenv("GOLDPAN_LAKE__ERASURES_COPY", "used")
        assert run_apply("lake", "init").returncode == 0
        assert run_apply("erase", "--subject", "other-1").returncode == 0
        monkeypatch.setenv("GOLDPAN_LAKE__ERASURES_COPY", "kept")
        assert "restored from a backup" in run_apply("lake", "tables").stderr
    before = marks_in_folder(tmp_path / "lake", WORDS)
    told = run_apply("erase", "apply")
    assert told.returncode in {2, 3}
    assert told.stdout == ""
    assert marks_in_folder(tmp_path / "lake", WORDS) == before


@pytest.mark.parametrize("place", short(["not-mounted", "empty"], ["empty"]))
def test_copies_that_are_not_there_let_nobody_in(
    run_apply: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A folder that is not mounted knows of no erasure, and proves nothing by that."""
    assert run_apply("erase", "--subject", PERSON).returncode == 0
    put_back(tmp_path)
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GOLDPAN_LAKE__ERASURES_COPY", place)
    for command in (("lake", "tables"), ("lake", "verify"), ("erase", "apply")):
        told = run_apply(*command)
        assert (told.returncode, "ERASURES_COPY" in told.stderr) == (3, True), command
    assert not list((tmp_path / "empty").iterdir())


def test_the_copies_lie_outside_of_the_lake(
    run_apply: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup would take them along, and putting it back would put back the old ones."""
    monkeypatch.setenv("GOLDPAN_LAKE__ERASURES_COPY", "lake/copies")
    told = run_apply("lake", "tables")
    assert (told.returncode, "outside" in told.stderr) == (2, True)


def test_a_destroyed_key_stays_destroyed(
    run_apply: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes back with the settings of before the backup, under its name or another: refused."""
    key_check.refuse_wrong_keys(load_settings(None), open_lake(tmp_path / "lake"), remember=True)
    shutil.copytree(tmp_path / "lake", tmp_path / "backup", dirs_exist_ok=True)
    told = run_apply("lake", "refuse-key", "s1")
    assert (told.returncode, "remove it" in told.stderr) == (2, True)
    assert run_apply("lake", "refuse-key", "unknown").returncode == 2
    secret = base64.b64encode(SEAL.secret)
    monkeypatch.delenv("GOLDPAN_REDACT__SEAL_KEY")
    assert run_apply("lake", "refuse-key", "s1").returncode == 0
    assert run_apply("erase", "--subject", PERSON, "--unopened", "remove").returncode == 0
    put_back(tmp_path)
    monkeypatch.setenv("GOLDPAN_REDACT__SEAL_KEY", secret.decode())
    for name in ("s1", "s2"):
        monkeypatch.setenv("GOLDPAN_REDACT__SEAL_KEY_ID", name)
        told = run_apply("erase", "apply")
        assert (told.returncode, "was destroyed" in told.stderr) == (2, True)
    monkeypatch.delenv("GOLDPAN_REDACT__SEAL_KEY")
    assert run_apply("erase", "apply").returncode == 0
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    monkeypatch.setenv("GOLDPAN_REDACT__SEAL_KEY", secret.decode())
    monkeypatch.delenv("GOLDPAN_LAKE__ERASURES_COPY")
    told = run_apply("erase", "--subject", "somebody-else")
    assert (told.returncode, "was destroyed" in told.stderr) == (2, True)
