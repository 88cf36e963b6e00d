"""Opens kept runs of gates, with the rows of their releases as these are now."""

from typing import NamedTuple

from batch.gate.changed_answers import AnsweredRows
from batch.gate.gate_run import GateRun, decode_readings
from batch.release.format.rows import SALT
from goldpan import release_setup
from goldpan.gate_runs import open_gate_runs
from goldpan.settings import Settings
from schemas.errors import FatalError, UsageError


class OpenedRun(NamedTuple):
    """A kept run, its rows and answers as far as they can be read, and how many were erased.

    ``problem`` says why there are no rows.
    """

    name: str
    run: GateRun
    answered: AnsweredRows
    erased: int
    problem: str | None = None


def open_run(settings: Settings, name: str) -> OpenedRun:
    """Return a kept run by its name; ``GATE/SERIES`` means its last look.

    Raises UsageError if there is none, FatalError if a file of it is damaged.
    """
    loaded = open_gate_runs(settings).load(name)
    run, inputs = loaded.run, loaded.run.inputs
    try:
        release, table = release_setup.open_release(settings, inputs.release)
    except UsageError as error:
        return OpenedRun(loaded.name, run, AnsweredRows({}, {}), 0, str(error))
    if release.digest != inputs.release_digest:
        raise FatalError(
            f"evaluations/{loaded.name} is about another {inputs.release} than the one in releases/"
        )
    sealed = loaded.answers
    answers = {} if sealed is None else sealed.open(table.column(SALT).to_pylist())
    answered = AnsweredRows.of(table, answers)
    erased = answered.missing(decode_readings(run.readings, loaded.name))
    return OpenedRun(loaded.name, run, answered, erased)
