"""``goldpan erase`` as people use it: what it prints, refuses, and ends with."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from goldpan.cli.main import run as run_command
from lake import erasures
from lake.erasures import Tombstone
from tests.batch.erase.world import PERSON, SEAL, WORDS, new_world
from tests.batch.kit import open_lake
from tests.edges.search import marks_in, marks_in_folder
from tests.servers.worker import TEST_KEY

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run goldpan on the lake of the person, in this process."""
    new_world(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDPAN_LAKE__URI", "lake")
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", TEST_KEY)
    monkeypatch.setenv("GOLDPAN_REDACT__SEAL_KEY", base64.b64encode(SEAL.secret).decode())

    def called(*arguments: str) -> CompletedProcess[str]:
        capsys.readouterr()
        code = run_command(arguments)
        said = capsys.readouterr()
        return CompletedProcess(arguments, code, said.out, said.err)

    return called


def test_first_dry_then_for_good_then_the_receipt(run: Run, tmp_path: Path) -> None:
    """The dry run counts what the receipt says went; neither prints a word of the person."""
    would = run("erase", "--subject", PERSON, "--dry-run", "--json")
    assert (would.returncode, would.stderr) == (0, "")
    assert marks_in_folder(tmp_path / "lake", WORDS)
    done = run("erase", "--subject", PERSON, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    counts = [
        {name: (one["own"], one["mentions"]) for name, one in tables.items()}
        for tables in (
            json.loads(would.stdout)["tables"],
            json.loads(done.stdout)["receipt"]["tables"],
        )
    ]
    assert counts[0] == counts[1]
    assert marks_in_folder(tmp_path / "lake", WORDS) == []
    assert marks_in(would.stdout + done.stdout, WORDS) == []
    shown = run("erase", "--subject", PERSON)
    assert "erased already" in shown.stdout
    assert "Kafka" in shown.stdout
    path = f"lake/erasures/{json.loads(done.stdout)['erasure']}.receipt.json"
    assert path in shown.stdout
    assert run("erase", "verify", path).returncode == 0


def test_a_receipt_that_was_changed_or_is_anothers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, and which of the two it is."""
    assert run("erase", "--subject", PERSON).returncode == 0
    receipt = tmp_path / "lake" / "erasures" / "3.receipt.json"
    changed = tmp_path / "changed.json"
    changed.write_text(receipt.read_text().replace('"mentions": 2', '"mentions": 1'))
    told = run("erase", "verify", str(changed))
    assert (told.returncode, "does not hold" in told.stdout) == (1, True)
    monkeypatch.setenv("GOLDPAN_REDACT__KEY", base64.b64encode(bytes(32)).decode())
    told = run("erase", "verify", str(receipt), "--json")
    assert told.returncode == 1
    assert not json.loads(told.stdout)["ours"]
    assert run("erase", "verify", "policy.yaml").returncode == 2


def test_the_list_tells_what_is_not_finished(run: Run, tmp_path: Path) -> None:
    """A tombstone without a receipt is an erasure to go on with."""
    assert run("erase", "--subject", PERSON).returncode == 0
    store = erasures.open_store(open_lake(tmp_path / "lake").location)
    erasures.put(store, lambda number: Tombstone(number, 1, {"k1.x": ["0"]}))
    listed = json.loads(run("erase", "list", "--json").stdout)
    assert [one["number"] for one in listed["erasures"]] == [3]
    assert listed["unfinished"] == [4]
    assert "4: not finished" in run("erase", "list").stdout


def test_ids_of_a_file_are_erased_together(run: Run, tmp_path: Path) -> None:
    """One line an id; blank lines are nobody."""
    (tmp_path / "ids.txt").write_text(f"{PERSON}\n\nother-1\n")
    done = json.loads(run("erase", "--subjects", "ids.txt", "--json").stdout)
    assert done["persons"] == 2
    assert json.loads(run("erase", "--subject", "other-1", "--json").stdout)["again"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say whom to erase"),
        (("--subject", " "), "names nobody"),
        (("--subject", "a", "--subjects", "empty"), "say whom to erase"),
        (("--subjects", "empty"), "names nobody"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], says: str
) -> None:
    """And nothing is begun."""
    (tmp_path / "empty").write_text("\n")
    told = run("erase", "run", *arguments)
    assert told.returncode == 2
    assert says in told.stderr
    assert not (tmp_path / "lake" / "erasures").exists()


def test_a_seal_key_that_is_missing_is_asked_for(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Unless it is said what to do with payloads that nobody can open."""
    monkeypatch.delenv("GOLDPAN_REDACT__SEAL_KEY")
    told = run("erase", "--subject", PERSON)
    assert told.returncode == 2
    assert "--unopened" in told.stderr
    assert not (tmp_path / "lake" / "erasures").exists()
    told = run("erase", "--subject", PERSON, "--unopened", "keep")
    assert told.returncode == 0
    assert "3 sealed payloads in quarantine could not be opened" in told.stdout
