"""Kept runs: a look is taken once, a run that was cut off is completed, and damage is found."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batch.gate.gate_job import DecidedGate, GateInputs, run_gate
from batch.gate.gate_lines import read_verdicts
from batch.gate.gate_report import run_pages
from batch.gate.run_store import READINGS, RUN, GateRunStore
from judges.gate.definition import parse_gate
from lake.objects import FolderStore
from schemas.errors import FatalError, FencedError, UsageError
from tests.batch.gate.world import (
    find_release,
    publish_release,
    trace_id,
    verdicts,
    write_lines,
)
from tests.lake.kit import patience

ROWS = 60
GATE = "gate: g\nrelease: support@1\nlooks: 3\nrequire: {faithfulness: {at_least: .85}}\n"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A release with its rows."""
    return find_release(publish_release(tmp_path_factory.mktemp("gate"), ROWS))


class GateDesk:
    """Runs one gate on one candidate, with a store in a folder."""

    def __init__(self, folder: Path, released: Any) -> None:
        self.folder, self.released, self.verdicts = folder / "runs", released, folder / "v.jsonl"
        self.store = GateRunStore(FolderStore(self.folder), patience())

    def decide(self, judged: int, every: int = 10, erased: int = 0) -> DecidedGate:
        """Return a run on the verdicts of the first rows, that is not kept yet.

        So many rows were erased from the release before.
        """
        lines = verdicts("faithfulness", every=every, rows=judged)
        read = read_verdicts(write_lines(self.verdicts, lines))
        inputs = GateInputs(candidate={}, verdicts=read)
        version, table = self.released
        if erased:
            version, table = replace(version, erased=True), table.slice(erased)
        return run_gate(parse_gate(GATE, "g"), version, table, inputs, self.store)

    def keep(self, decided: DecidedGate) -> bool:
        """Keep a run."""
        place, run = decided[:2]
        return self.store.keep(place, run, run_pages(place.name, run))


@pytest.fixture
def gate_desk(tmp_path: Path, released: Any) -> GateDesk:
    """A desk in an empty folder."""
    return GateDesk(tmp_path, released)


def test_looks_count_up_and_the_same_run_stays(gate_desk: GateDesk) -> None:
    """More verdicts are the next look; the same ones are the look that they were."""
    first, looks = gate_desk.decide(20), []
    assert gate_desk.keep(first)
    for judged in (40, 60, 20, 60):
        decided = gate_desk.decide(judged)
        looks.append((decided.place.look, gate_desk.keep(decided)))
    assert looks == [(2, True), (3, True), (1, False), (3, False)]
    series = first.place.name.rpartition("/")[0]
    assert gate_desk.store.find(series).name == f"{series}/3"
    assert gate_desk.store.find(f"{series}/1").document["looks"] == 1
    for name in (f"{series}/9", "g/000000000000", "../g"):
        with pytest.raises(UsageError, match="run"):
            gate_desk.store.find(name)


def test_two_programs_never_take_one_look(gate_desk: GateDesk) -> None:
    """Both saw no look before; the second one to be kept is told to run again."""
    first, second = gate_desk.decide(20), gate_desk.decide(40)
    assert first.place.name == second.place.name
    assert gate_desk.keep(first)
    with pytest.raises(FencedError, match="run the gate again"):
        gate_desk.keep(second)
    assert gate_desk.decide(40).place.look == 2


@pytest.mark.parametrize("kept", [[RUN], [RUN, READINGS], [RUN, READINGS, "report.md"]])
def test_a_run_that_was_cut_off_is_a_look_and_is_completed(
    gate_desk: GateDesk, kept: list[str]
) -> None:
    """Whatever it was killed after: it counts, it is no baseline, and the same run completes it."""
    decided = gate_desk.decide(20)
    assert gate_desk.keep(decided)
    folder = gate_desk.folder / decided.place.name
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in whole.keys() - set(kept):
        (folder / name).unlink()
    assert gate_desk.decide(40).place.look == 2
    with pytest.raises(UsageError, match="not complete"):
        gate_desk.store.find(decided.place.name)
    assert gate_desk.keep(gate_desk.decide(20))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole


@pytest.mark.parametrize("kept", [[RUN], [RUN, READINGS, "report.md"]])
def test_a_run_that_was_cut_off_is_completed_without_the_rows_erased_since(
    gate_desk: GateDesk, kept: list[str]
) -> None:
    """The look is the same, and its files agree with each other."""
    before = gate_desk.decide(60)
    assert gate_desk.keep(before)
    folder = gate_desk.folder / before.place.name
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()
    after = gate_desk.decide(60, erased=7)
    assert after.place == before.place
    assert gate_desk.keep(after)
    loaded = gate_desk.store.load(before.place.name)
    assert loaded.run == after.run
    assert loaded.run.row_count == ROWS - 7
    assert not gate_desk.keep(gate_desk.decide(60))


@pytest.mark.parametrize("name", [RUN, READINGS])
def test_damage_is_found(gate_desk: GateDesk, name: str) -> None:
    """A file that is not the one that was written is never read as one."""
    decided = gate_desk.decide(20)
    gate_desk.keep(decided)
    path = gate_desk.folder / decided.place.name / name
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(FatalError, match=name):
        gate_desk.decide(40)


def test_other_verdicts_and_dropped_ones_are_refused(gate_desk: GateDesk) -> None:
    """An error may become a verdict later, and a verdict never becomes another one."""
    gate_desk.keep(gate_desk.decide(40))
    with pytest.raises(UsageError, match="7 verdicts"):
        gate_desk.decide(60, every=8)
    with pytest.raises(UsageError, match="10 verdicts"):
        gate_desk.decide(30)


def test_rows_that_were_erased_are_no_fresh_calls(gate_desk: GateDesk) -> None:
    """Their verdicts may be in the files still; the run of before verifies, and says nothing."""
    first = gate_desk.decide(40)
    gate_desk.keep(first)
    second = gate_desk.decide(60, erased=7)
    assert (second.place.look, second.run.row_count) == (2, ROWS - 7)
    gate_desk.keep(second)
    assert gate_desk.store.find(first.place.name).is_complete
    assert gate_desk.decide(60, erased=7).place.look == 2


def test_a_run_says_nothing_of_a_row(gate_desk: GateDesk) -> None:
    """Rows are marks made of salts: none of a row's own values is in any file."""
    decided = gate_desk.decide(60)
    gate_desk.keep(decided)
    salts = gate_desk.released[1].column("salt").to_pylist()
    for path in (gate_desk.folder / decided.place.name).iterdir():
        data = path.read_bytes()
        assert not any(trace_id(number).encode() in data for number in range(ROWS))
        assert not any(salt.encode() in data for salt in salts)
