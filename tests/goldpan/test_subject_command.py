"""``goldpan subject show``: what is held of a person, and its content only where asked for."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from lake import tombstones
from tests.batch.erase.world import (
    NICKNAME,
    OWN,
    PERSON,
    USER,
    WORDS,
    flush,
    new_world,
    person,
    say,
)
from tests.batch.kit import open_lake
from tests.edges.search import marks_in
from tests.labels.kit import trace
from tests.servers.in_process import Run, runner, work_in

RUDE = "\x1b]0;owned\x07\x1b[2J\u202e\u2028\x9b31m"


@pytest.fixture(scope="module")
def terminal_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake in which the person left traces everywhere, one of them written for terminals."""
    made = tmp_path_factory.mktemp("world") / "lake"
    new_world(made)
    rude = trace("rude", at=1, user_id=USER, messages=say(f"{NICKNAME}{RUDE}"))
    flush(open_lake(made), [rude])
    return made


@pytest.fixture
def run_subject(
    terminal_world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run goldpan on that lake, in this process."""
    shutil.copytree(terminal_world, tmp_path / "lake")
    work_in(tmp_path, monkeypatch)

    return runner(capsys)


def test_it_shows_what_an_erasure_would_take_and_nothing_of_its_content(run_subject: Run) -> None:
    """The same counts, by table; for each day where it stands; no word of the person."""
    told = run_subject("subject", "show", PERSON, "--json")
    assert (told.returncode, told.stderr) == (0, "")
    said = json.loads(told.stdout)
    would = json.loads(run_subject("erase", "--subject", PERSON, "--dry-run", "--json").stdout)
    sums: dict[str, Counter[str]] = {}
    for one in said["tables"]:
        sums.setdefault(one["table"], Counter()).update(own=one["own"], mentions=one["mentions"])
    wanted = {n: (o["own"], o["mentions"]) for n, o in would["tables"].items()}
    found = {name: (one["own"], one["mentions"]) for name, one in sums.items()}
    assert found == {name: counts for name, counts in wanted.items() if any(counts)}
    traces = [one for one in said["tables"] if one["table"] == "traces"]
    assert len({one["day"] for one in traces}) == len(traces) > 1
    columns: Counter[str] = sum((Counter(one["columns"]) for one in traces), Counter())
    assert (columns["user_id"], columns["attributes"]) == (len(OWN) + 1, 1)
    assert all(one["records"] for one in said["tables"] if one["table"] != "labels")
    for shown in (told.stdout, run_subject("subject", "show", PERSON).stdout):
        assert marks_in(shown, WORDS) == []
    assert said["erased_until"] is None
    assert not tombstones.newest_tombstone(tombstones.open_tombstones(open_lake("lake").location))


def test_content_is_the_persons_own_and_commands_no_terminal(run_subject: Run) -> None:
    """With --content: own rows, none of others; control characters by their code, also in JSON."""
    told = run_subject("subject", "show", PERSON, "--content")
    assert told.returncode == 0
    assert NICKNAME in told.stdout
    assert "\\x9b31m" in told.stdout
    assert "as <USER_ID:" not in told.stdout  # what somebody else said about the person
    machine = run_subject("subject", "show", PERSON, "--content", "--json").stdout
    for text in (told.stdout, machine):
        assert not [sign for sign in RUDE if not sign.isprintable() and sign in text]
    rows = json.loads(machine)["content"]
    ids = {one["row"]["trace_id"] for one in rows if one["table"] == "traces"}
    assert ids == {*OWN, "rude"}
    (rude,) = (
        one["row"] for one in rows if one["row"]["trace_id"] == "rude" and "app" in one["row"]
    )
    assert rude["messages"][0]["content"] == f"{NICKNAME}{RUDE}"


def test_several_ids_are_one_person_and_a_list_keeps_them_out_of_the_history(
    run_subject: Run, tmp_path: Path
) -> None:
    """Which of them led to nothing is said by their place."""
    (tmp_path / "ids.txt").write_text(f"{PERSON}\nno-such-person\n")
    for arguments in ((PERSON, "no-such-person"), ("--subjects", "ids.txt")):
        said = json.loads(run_subject("subject", "show", *arguments, "--json").stdout)
        assert said["found"]
        assert len(said["found_nothing_of"]) == 1
        assert "2" in said["found_nothing_of"][0]
    told = run_subject("subject", "show", "no-such-person")
    assert (told.returncode, "found nothing" in told.stdout) == (0, True)
    assert run_subject("subject", "show").returncode == 2
    assert run_subject("subject", "show", PERSON, "--subjects", "ids.txt").returncode == 2


def test_of_who_was_erased_nothing_is_held_but_when(run_subject: Run) -> None:
    """And of another there is as much as before."""
    before = json.loads(run_subject("subject", "show", "other-3", "--json").stdout)
    assert before["found"]
    assert person("other-3") not in json.dumps(before)
    assert run_subject("erase", "--subject", PERSON).returncode == 0
    said = json.loads(run_subject("subject", "show", PERSON, "--json").stdout)
    assert (said["found"], said["tables"]) == (False, [])
    assert said["erased_until"].endswith("Z")
    after = json.loads(run_subject("subject", "show", "other-3", "--json").stdout)
    assert after["erased_until"] is None
    assert after["found"]
