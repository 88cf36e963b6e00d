"""Sets up a gate from the settings: its release, its files, and where runs are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from batch.gate.gate_job import GateInputs, run_gate
from batch.gate.gate_lines import read_candidate, read_reviews, read_verdicts
from batch.gate.gate_report import run_pages
from batch.gate.gate_run import GateRun, KeptRun
from batch.gate.release_plan import plan_of_release
from batch.gate.run_store import GateRunStore
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.publish.reference import parse_reference
from goldpan import release_setup
from goldpan.gate_judging import judge_side, read_answered_rows, write_answered_rows
from goldpan.settings import Settings
from judges.gate.definition import GateDefinition, load_gate
from judges.gate.metric_names import gate_metric
from judges.gate.plan import GatePlan
from judges.gate.readings import BASELINE, CANDIDATE, GateSide
from lake.location import LakeLocation
from schemas.errors import UsageError

EVALUATIONS = "evaluations"
"""The folder of the lake that holds the runs of gates."""


@dataclass(frozen=True, slots=True)
class GateFiles:
    """The files of a gate. ``baseline`` is the name of a kept run, or a file of outputs.

    ``judges`` are files of judges that say what they have judged of the answers.
    """

    gate: Path
    candidate: Path | None = None
    baseline: str | None = None
    verdicts: Path | None = None
    reviews: Path | None = None
    judges: tuple[Path, ...] = ()


class NamedRun(NamedTuple):
    """A run of a gate under the name that it is kept by, its pages, and whether it is new.

    ``changed`` are the rows that say something else of candidate and baseline; they are not kept.
    """

    name: str
    run: GateRun
    pages: Mapping[str, bytes]
    changed: Sequence[Mapping[str, Any]]
    is_new: bool


def open_gate_runs(settings: Settings) -> GateRunStore:
    """Return the kept runs of the lake."""
    lake = settings.lake
    files = LakeLocation(lake.uri, lake.s3_endpoint_url).files(EVALUATIONS)
    return GateRunStore(files, release_setup.release_retry())


def decide_and_keep(settings: Settings, files: GateFiles) -> NamedRun:
    """Run a gate and keep the run. The same run again is the same look, and changes nothing.

    Raises UsageError for a mistake in the files, and for a repetition with fresh calls.
    """
    definition = load_gate(files.gate)
    releases, store = release_setup.open_releases(settings), open_gate_runs(settings)
    release = releases.find(parse_reference(definition.release))
    table = read_release_rows(releases.read(release, DATA))
    inputs = _with_judges(settings, files, table, _inputs(definition, files, store))
    place, run, changed = run_gate(definition, release, table, inputs, store)
    pages = run_pages(place.name, run)
    is_new = store.keep(place, run, pages)
    return NamedRun(place.name, run, pages, changed, is_new)


def plan_of_gate(settings: Settings, gate: Path) -> tuple[GateDefinition, GatePlan]:
    """Return what a gate will be able to find on the rows of its release, and what it takes."""
    definition = load_gate(gate)
    releases = release_setup.open_releases(settings)
    release = releases.find(parse_reference(definition.release))
    table = read_release_rows(releases.read(release, DATA))
    return definition, plan_of_release(definition, table)


def rows_for_judges(settings: Settings, files: GateFiles) -> bytes:
    """Return the rows of the release with the candidate's answers, redacted, as JSON lines.

    ``goldpan judge run --rows`` reads them. Raises UsageError without outputs of the candidate.
    """
    definition = load_gate(files.gate)
    releases, store = release_setup.open_releases(settings), open_gate_runs(settings)
    release = releases.find(parse_reference(definition.release))
    table = read_release_rows(releases.read(release, DATA))
    inputs = _inputs(definition, files, store)
    if inputs.candidate is None:
        raise UsageError("--rows-to writes the candidate's answers: give --candidate.")
    return write_answered_rows(read_answered_rows(settings, table, inputs.candidate))


def _with_judges(
    settings: Settings, files: GateFiles, table: pa.Table, inputs: GateInputs
) -> GateInputs:
    """Return inputs with what judges say of both sides, as far as their outputs are there."""
    if not files.judges:
        return inputs
    outputs: dict[GateSide, Any] = {CANDIDATE: inputs.candidate}
    if not isinstance(inputs.baseline, KeptRun) and inputs.baseline is not None:
        outputs[BASELINE] = inputs.baseline
    sides = {
        side: judge_side(settings, read_answered_rows(settings, table, lines), files.judges)
        for side, lines in outputs.items()
    }
    both = {gate_metric(key[2]).name for key in inputs.verdicts or {}} & sides[
        CANDIDATE
    ].readings.keys()
    if both:
        raise UsageError(f"--verdicts and --judge both say {min(both)}: give one of them.")
    return replace(
        inputs,
        judged={side: verdicts.readings for side, verdicts in sides.items()},
        judge_names={side: verdicts.judges for side, verdicts in sides.items()},
    )


def _inputs(definition: GateDefinition, files: GateFiles, store: GateRunStore) -> GateInputs:
    folder = files.gate.parent
    candidate = files.candidate
    if candidate is None and definition.candidate is not None:
        candidate = folder / definition.candidate.outputs
    baseline, named = files.baseline, definition.baseline
    if baseline is None and named is not None:
        baseline = named.run or str(folder / str(named.outputs))
    if files.judges and candidate is None:
        raise UsageError("--judge needs the outputs that it has judged: give --candidate.")
    if candidate is None and files.verdicts is None:
        raise UsageError(
            "Nothing says what the candidate did: give --candidate, or --verdicts, or "
            "`candidate: {outputs: FILE}` in the gate file."
        )
    return GateInputs(
        candidate=None if candidate is None else read_candidate(candidate),
        baseline=(
            None
            if baseline is None
            else read_candidate(Path(baseline))
            if Path(baseline).is_file()
            else store.find(baseline)
        ),
        verdicts=None if files.verdicts is None else read_verdicts(files.verdicts),
        reviews={} if files.reviews is None else read_reviews(files.reviews),
    )
