"""Sets up a gate from the settings: its release, its files, and where runs are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from batch.gate.changed_answers import AnsweredRows
from batch.gate.failure_modes import RowModes, measure_failure_modes
from batch.gate.gate_job import GateInputs, SideSource, read_gate, run_gate
from batch.gate.gate_lines import read_candidate, read_reviews, read_verdicts
from batch.gate.gate_report import run_pages
from batch.gate.gate_run import GateRun, KeptRun
from batch.gate.judge_cards import JudgeFacts, judge_cards
from batch.gate.kept_answers import KeptAnswer, encode_answers
from batch.gate.release_plan import plan_of_release
from batch.gate.review_requests import DrawnAnswer, draw_answers
from batch.gate.run_store import GateRunStore, is_run_name
from batch.gate.side_readings import row_mark
from batch.gate.stored_reviews import add_reviews, stored_reviews
from batch.release.format.rows import SALT
from batch.release.publish.repository import ReleaseVersion
from batch.reviews.answer_service import AnswerRequest, AskReport
from goldpan import release_setup, wiring
from goldpan.answer_setup import find_answer_queue, open_answer_queue
from goldpan.gate_judging import AnswerReader, judge_history, judge_side, set_up_judges
from goldpan.gate_runs import open_gate_runs
from goldpan.judge_setup import erased_traces
from goldpan.settings import Settings
from judges.definition import load_judge
from judges.gate.answer_queue import AnswerSource
from judges.gate.definition import GateDefinition, load_gate
from judges.gate.metric_names import gate_metric
from judges.gate.plan import GatePlan
from judges.gate.readings import BASELINE, CANDIDATE, GateSide
from lake.tables import Lake
from schemas.errors import UsageError

_SALTED = ("trace_id", SALT)


@dataclass(frozen=True, slots=True)
class GateFiles:
    """The files of a gate. A side is the name of a kept run, or a file of outputs.

    ``judges`` are files of judges that say what they have judged of the answers.
    """

    gate: Path
    candidate: str | None = None
    baseline: str | None = None
    verdicts: Path | None = None
    reviews: Path | None = None
    judges: tuple[Path, ...] = ()


class NamedRun(NamedTuple):
    """A run of a gate under the name that it is kept by, its pages, and whether it is new.

    ``answered`` are the rows of the release with both answers; the pages hold none of it.
    """

    name: str
    run: GateRun
    pages: Mapping[str, bytes]
    answered: AnsweredRows
    is_new: bool


def decide_and_keep(settings: Settings, files: GateFiles) -> NamedRun:
    """Run a gate and keep the run. The same run again is the same look, and changes nothing.

    A run that could measure no requirement has looked at nothing, and is not kept.

    Raises UsageError for a mistake in the files, and for a repetition with fresh calls.
    """
    opened = _open_gate(settings, files)
    place, run, rows, read = run_gate(
        opened.definition, opened.release, opened.table, opened.inputs, opened.store
    )
    salts = dict(zip(*(opened.table.column(name).to_pylist() for name in _SALTED), strict=True))
    answers = _answers(opened, salts)
    run = replace(
        run,
        answers=encode_answers(run.inputs.digest, salts, answers) if answers else None,
        answer_counts={side: len(held) for side, held in answers.items()},
        judge_cards=judge_cards(opened.definition, read, run.judges, opened.judged.facts),
        failure_modes=measure_failure_modes(rows, read, opened.judged.modes),
    )
    by_mark = {
        side: {row_mark(salts[row]): answer for row, answer in held.items()}
        for side, held in answers.items()
    }
    pages = run_pages(place.name, run)
    is_new = run.decision.is_look and opened.store.keep(place, run, pages)
    return NamedRun(place.name, run, pages, AnsweredRows.of(opened.table, by_mark), is_new)


def _answers(
    opened: "_OpenGate", salts: Mapping[str, str]
) -> dict[GateSide, dict[str, KeptAnswer]]:
    """Return what is kept of both sides' answers, by trace id: of rows that the release has.

    Of a kept run they are those that it keeps; of outputs nothing without a key to redact them.
    """
    sides: dict[GateSide, SideSource] = {
        CANDIDATE: opened.inputs.candidate,
        BASELINE: opened.inputs.baseline,
    }
    found: dict[GateSide, dict[str, KeptAnswer]] = {}
    for side, source in sides.items():
        if isinstance(source, KeptRun):
            sealed = opened.store.load(source.name).answers
            held = {} if sealed is None else sealed.open(salts.values()).get(CANDIDATE, {})
            marks = {row_mark(salt): row for row, salt in salts.items()}
            found[side] = {marks[mark]: answer for mark, answer in held.items()}
        elif source and opened.answers.can_redact:
            redacted = opened.answers.redacted(source)
            found[side] = {
                row: KeptAnswer.of(answer) for row, answer in redacted.items() if row in salts
            }
    return {side: held for side, held in found.items() if held}


def plan_of_gate(settings: Settings, gate: Path) -> tuple[GateDefinition, GatePlan]:
    """Return what a gate will be able to find on the rows of its release, and what it takes."""
    definition = load_gate(gate)
    _, table = release_setup.open_release(settings, definition.release)
    return definition, plan_of_release(definition, table)


class _Judged(NamedTuple):
    """What is known of the judges of a gate by metric, and the failure modes that they told."""

    facts: JudgeFacts
    modes: Mapping[GateSide, RowModes]


class _OpenGate(NamedTuple):
    """A gate with its release, the rows of that, the kept runs, what it is run on, and answers."""

    definition: GateDefinition
    release: ReleaseVersion
    table: pa.Table
    store: GateRunStore
    inputs: GateInputs
    answers: AnswerReader
    judged: _Judged


def _open_gate(settings: Settings, files: GateFiles) -> _OpenGate:
    definition = load_gate(files.gate)
    # Under another key answers are redacted otherwise: the same candidate would have new looks.
    wiring.refuse_other_keys(settings, Lake(settings.lake))
    store = open_gate_runs(settings)
    release, table = release_setup.open_release(settings, definition.release)
    answers = AnswerReader(settings, table)
    inputs, judged = _with_judges(settings, files, answers, _inputs(definition, files, store))
    inputs = _with_reviews(settings, definition, release, inputs)
    return _OpenGate(definition, release, table, store, inputs, answers, judged)


def rows_for_judges(settings: Settings, files: GateFiles) -> list[dict[str, Any]]:
    """Return the rows of the release with the candidate's answers, redacted.

    ``goldpan judge run --rows`` reads them. Raises UsageError without outputs of the candidate.
    """
    opened = _open_gate(settings, replace(files, judges=()))
    return _answered_rows(opened, "--rows-to")


def rows_for_reviewers(settings: Settings, files: GateFiles, count: int) -> list[dict[str, Any]]:
    """Return the answers to so many rows for each metric that a judge measures.

    They are redacted, and do not say what the judge says. They are the candidate's, and those of
    the baseline too where a difference is claimed as humans would judge. Raises UsageError without
    outputs of these, or if a judge measures nothing.
    """
    return [drawn.to_line() for drawn in _drawn_answers(_open_gate(settings, files), count)]


def ask_reviewers(settings: Settings, files: GateFiles, count: int) -> AskReport:
    """Put as many answers into the review queue of the lake, without those of erased persons.

    Raises UsageError as `rows_for_reviewers` does, and if reviews would decide nothing.
    """
    definition = load_gate(files.gate)
    if definition.claim != "as_humans":
        raise UsageError(
            f"The gate {definition.gate} claims as_judged, so reviews would decide nothing: set "
            "`claim: as_humans`, or write the answers to a file with --reviews-to."
        )
    asks = {judge.judge: judge.asks for judge in map(load_judge, files.judges)}

    def read() -> list[AnswerRequest]:
        is_erased = erased_traces(settings)
        opened = _open_gate(settings, files)
        drawn = _drawn_answers(opened, count)
        sources = _answer_sources(opened.definition, opened.release, opened.inputs)
        erased = is_erased([each.judged.trace for each in drawn])
        return [
            each.to_request(sources[each.metric], asks.get(each.metric), opened.answers.policy)
            for each, is_gone in zip(drawn, erased, strict=True)
            if not is_gone and each.metric in sources
        ]

    return open_answer_queue(settings, Lake(settings.lake)).ask(read)


def _drawn_answers(opened: _OpenGate, count: int) -> list[DrawnAnswer]:
    sides = {CANDIDATE, *(s for held in opened.definition.reviewed_sides.values() for s in held)}
    answered = {side: _answered_rows(opened, "--ask-reviews", side) for side in sorted(sides)}
    rows, _, read = read_gate(opened.definition, opened.release, opened.table, opened.inputs)
    found = list(draw_answers(opened.definition, rows, read, answered, count))
    if not found:
        raise UsageError(
            f"The gate {opened.definition.gate} has no verdicts to review: give "
            "--verdicts or --judge, for a metric that it requires."
        )
    return found


def _answer_sources(
    definition: GateDefinition, release: ReleaseVersion, inputs: GateInputs
) -> dict[str, AnswerSource]:
    """Return what the answers to review are drawn from, by metric; nothing without outputs."""
    candidate = inputs.candidate_digest
    if candidate is None:
        return {}
    name = f"{release.name}@{release.version}"
    return {
        metric: AnswerSource(
            name,
            release.digest,
            candidate,
            definition.about,
            inputs.baseline_digest if len(sides) > 1 else None,
        )
        for metric, sides in definition.reviewed_sides.items()
    }


def _with_reviews(
    settings: Settings, definition: GateDefinition, release: ReleaseVersion, inputs: GateInputs
) -> GateInputs:
    """Return inputs with the reviews of the answers that are in the lake.

    Where reviews decide nothing they are left out: each new one would be another look.
    """
    sources = _answer_sources(definition, release, inputs)
    service = find_answer_queue(settings, Lake(settings.lake)) if sources else None
    if service is None:
        return inputs
    stored = stored_reviews(service.queue(), sources)
    return replace(inputs, reviews=add_reviews(stored, inputs.reviews))


def _answered_rows(
    opened: _OpenGate, option: str, side: GateSide = CANDIDATE
) -> list[dict[str, Any]]:
    outputs = opened.inputs.candidate if side == CANDIDATE else opened.inputs.baseline
    if outputs is None or isinstance(outputs, KeptRun):
        raise UsageError(f"{option} writes answers of the {side}: give --{side} FILE.")
    return opened.answers.rows(outputs)


def _with_judges(
    settings: Settings, files: GateFiles, answers: AnswerReader, inputs: GateInputs
) -> tuple[GateInputs, _Judged]:
    """Return inputs with what judges say of both sides, as far as their outputs are there."""
    if not files.judges:
        return inputs, _Judged({}, {})
    judges = set_up_judges(settings, files.judges)
    named = {gate_metric(metric).name for _, _, metric in inputs.verdicts or {}}
    both = named & judges.keys()
    if both:
        raise UsageError(f"--verdicts and --judge both say {min(both)}: give one of them.")
    sources: dict[GateSide, SideSource] = {CANDIDATE: inputs.candidate, BASELINE: inputs.baseline}
    sides = {
        side: judge_side(judges, answers.rows(source))
        for side, source in sources.items()
        if source is not None and not isinstance(source, KeptRun)
    }
    answered = replace(
        inputs,
        judged={side: verdicts.readings for side, verdicts in sides.items()},
        judge_names={side: verdicts.judges for side, verdicts in sides.items()},
    )
    said = sides.get(CANDIDATE)
    known = {} if said is None else said.facts
    facts = {name: {**fact, **judge_history(judges[name])} for name, fact in known.items()}
    return answered, _Judged(facts, {side: each.modes for side, each in sides.items()})


def _inputs(definition: GateDefinition, files: GateFiles, store: GateRunStore) -> GateInputs:
    folder = files.gate.parent
    candidate = files.candidate
    if candidate is None and definition.candidate is not None:
        candidate = str(folder / definition.candidate.outputs)
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
        candidate=_source(candidate, store),
        baseline=_source(baseline, store),
        verdicts=None if files.verdicts is None else read_verdicts(files.verdicts),
        reviews={} if files.reviews is None else read_reviews(files.reviews),
    )


def _source(text: str | None, store: GateRunStore) -> SideSource:
    """Return the outputs of a file, or a kept run where the text is the name of one."""
    if text is None:
        return None
    if is_run_name(text) and not Path(text).is_file():
        return store.find(text)
    return read_candidate(Path(text))
