"""Sets up judges from the settings: their way, server, proof, rows and store."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import uniform
from typing import Final

from batch.gate.config import CandidateSettings
from batch.judge.client import CallLimits, JudgeClient
from batch.judge.config import JudgeSettings
from batch.judge.cost_estimate import RunEstimate, estimate_run
from batch.judge.input_proof import RedactionProof
from batch.judge.judge_plan import JudgePlan
from batch.judge.judge_record import read_judge_records
from batch.judge.judgement_store import JudgementStore
from batch.judge.known_judgements import KnownJudgements
from batch.judge.reviewed_answers import ReviewedAnswer, read_reviewed_answers
from batch.judge.run_report import JudgeRunReport
from batch.judge.runner import JudgeRunner, RunTerms
from batch.judge.server import JudgeServer, allowed_server
from batch.judge.subjects import (
    SubjectSource,
    read_file_subjects,
    read_json_lines,
    read_release_subjects,
    read_window_subjects,
)
from batch.judge.verdict_import import (
    ImportedIds,
    ImportedVerdicts,
    NumberedVerdict,
    VerdictImport,
    parse_verdict,
)
from batch.judge.waits import RetryWaits
from batch.progress import ReportProgress
from batch.release.publish.reference import parse_reference
from batch.reviews.review_texts import ReviewTexts
from goldpan import jobs, release_setup, wiring
from goldpan.settings import Settings
from goldpan.written_texts import redact_written_texts
from judges.agreement.thresholds import propose_thresholds
from judges.definition import (
    DEFAULT_THRESHOLDS,
    JudgeDefinition,
    VerdictThresholds,
    choose_way,
)
from judges.ways import DEFAULT_URL_ENV, ChatWay, DecisionWay, JudgeWay, ServedWay
from lake.fresh_read import read_fresh
from lake.table_commit import CommitContext
from lake.tables import Lake
from schemas.arrow import JUDGEMENTS_TABLE, REVIEWS_TABLE
from schemas.errors import UsageError
from schemas.record_batches import RecordKind, batch_records
from schemas.records import EARLIEST_MICROS, Trace

KEY_FILE_SUFFIX: Final = "_KEY_FILE"
NO_ROWS: Final = "Name the rows to judge: --release, --from and --to, or --rows."


@dataclass(frozen=True, slots=True)
class SubjectChoice:
    """Which rows to judge: of a release, of some days (both included), or of a file."""

    release: str | None = None
    days: tuple[date, date] | None = None
    file: Path | None = None


@dataclass(frozen=True)
class JudgeSetup:
    """One judge with its lake, ready to estimate and to run."""

    settings: Settings
    plan: JudgePlan
    lake: Lake
    store: JudgementStore[KnownJudgements]
    context: CommitContext

    def source(self, choice: SubjectChoice) -> SubjectSource:
        """Return the rows to judge; UsageError if there is no such release."""
        return subject_source(self.settings, self.lake, self.context, choice)

    def estimate(self, source: SubjectSource, progress: ReportProgress) -> RunEstimate:
        """Return what a run will ask and cost; nothing is asked."""
        self.store.begin()
        self.store.refresh()
        return estimate_run(self.plan, self.store.known, source, progress)

    def run(
        self,
        source: SubjectSource,
        *,
        total: int,
        budget_usd: float | None,
        progress: ReportProgress,
    ) -> JudgeRunReport:
        """Judge the rows; errors as `JudgeRunner.run`."""
        judges, way = self.settings.judges, self.plan.served_way
        terms = RunTerms(
            run_id=secrets.token_hex(8),
            sleep=time.sleep,
            batch_rows=judges.batch_rows,
            claim_seconds=judges.claim_seconds,
            budget_usd=budget_usd,
            progress=progress,
        )
        runner = JudgeRunner(self.plan, self.store, self.context, terms)
        if way is None:
            return runner.run(source, total=total)
        wiring.refuse_other_keys(self.settings, self.lake)
        runner.proof = make_proof(self.settings, self.plan.definition)
        with make_client(self.settings, way) as client:
            runner.answerer = client
            return runner.run(source, total=total)

    def reviewed(self) -> dict[str, ReviewedAnswer]:
        """Return what reviewers say, by trace id."""
        return read_reviews(self.lake, self.context)


def subject_source(
    settings: Settings, lake: Lake, context: CommitContext, choice: SubjectChoice
) -> SubjectSource:
    """Return the chosen rows; UsageError if none are chosen, or there is no such release."""
    if choice.release is not None:
        releases = release_setup.open_releases(settings)
        version = releases.find(parse_reference(choice.release))
        return lambda: read_release_subjects(releases, version)
    if choice.file is not None:
        file, is_erased = choice.file, erased_traces(settings)
        return lambda: read_file_subjects(file, is_erased)
    if choice.days is None:
        raise UsageError(NO_ROWS)
    days = choice.days
    return lambda: read_window_subjects(lake, days, context.retry)


def set_up_judge(
    settings: Settings, definition: JudgeDefinition, *, only_current: bool = False
) -> JudgeSetup:
    """Return a judge with the first way that is configured.

    With ``only_current`` rows that an earlier served model judged are judged again. Raises
    UsageError if no way is configured, or its server may not be sent rows.
    """
    way = choose_way(definition, lambda way: is_configured(settings, way))
    if isinstance(way, ChatWay | DecisionWay):
        judge_server(settings, way)  # fails on a mistake before anything is read
    lake, context = Lake(settings.lake), jobs.job_context()
    calibrated = None
    if definition.thresholds is None:
        calibrated = _calibrated(lake, definition, way, context)
    plan = JudgePlan(definition, way, calibrated)
    known = KnownJudgements(plan.judge_digest, way, context.now_us, only_current)
    return JudgeSetup(settings, plan, lake, JudgementStore(lake, known, context), context)


def configured_way(settings: Settings, definition: JudgeDefinition) -> JudgeWay | None:
    """Return the first way that is configured, None if none is.

    Raises UsageError if its server may not be sent rows.
    """
    ways = [way for way in definition.answerable if is_configured(settings, way)]
    if ways and isinstance(ways[0], ChatWay | DecisionWay):
        judge_server(settings, ways[0])
    return ways[0] if ways else None


def is_configured(settings: Settings, way: JudgeWay) -> bool:
    """Return whether a way can answer: a server needs its address, the others nothing."""
    return not isinstance(way, ChatWay | DecisionWay) or _address(settings, way) is not None


def judge_server(settings: Settings, way: ServedWay) -> JudgeServer:
    """Return the server of a way; UsageError if rows may not be sent to it."""
    address = _address(settings, way)
    if address is None:
        raise UsageError(f"{way.url_env} is not set: it names the judge's server.")
    return allowed_server(address, settings.judges.allowed_hosts, _key_file(settings, way))


def read_reviews(lake: Lake, context: CommitContext) -> dict[str, ReviewedAnswer]:
    """Return what reviewers say, by trace id."""
    return dict(read_fresh(lake, REVIEWS_TABLE, context.retry, read_reviewed_answers))


def erased_traces(settings: Settings) -> Callable[[Sequence[Trace]], list[bool]]:
    """Return a function that says which traces are of erased persons, by id or user."""
    erasures = wiring.open_erasures(settings)

    def is_erased(traces: Sequence[Trace]) -> list[bool]:
        if not erasures.kept_out:
            return [False] * len(traces)
        batch = batch_records(RecordKind.TRACE, "#judge", traces)
        kept = set(erasures.kept_out.without(batch)[0].offsets)
        return [at not in kept for at in range(len(traces))]

    wiring.make_retry().call("reading tombstones", erasures.reload)
    return is_erased


def import_verdicts(settings: Settings, file: Path) -> ImportedVerdicts:
    """Store the verdicts of a file of JSON lines that are not there yet.

    Lines that are no verdict are refused, the others are stored. Raises UsageError if the file
    cannot be read or is no JSON lines.
    """
    lake, context = Lake(settings.lake), jobs.job_context()
    report = ImportedVerdicts()
    job = VerdictImport(
        store=JudgementStore(lake, ImportedIds(), context),
        lake=lake,
        context=context,
        run_id=secrets.token_hex(8),
        redact=lambda texts: redact_written_texts(
            settings.redact, [ReviewTexts(text, None) for text in texts], wiring.now_us()
        ),
        is_erased=lambda ids: erased_traces(settings)([_trace_of_id(id_) for id_ in ids]),
    )

    def verdicts() -> Iterator[NumberedVerdict]:
        for number, document in read_json_lines(file, f"The file {file}"):
            try:
                yield NumberedVerdict(number, parse_verdict(document))
            except ValueError as error:
                report.refused[number] = str(error)

    job.run(verdicts(), report)
    return report


def _address(settings: Settings, way: ServedWay) -> str | None:
    if way.url_env == DEFAULT_URL_ENV:
        return settings.judges.url
    return os.environ.get(way.url_env) or None


def _key_file(settings: Settings, way: ServedWay) -> Path | None:
    """Return the file with the key of a server: beside `X_URL` it is named by `X_KEY_FILE`."""
    if way.url_env == DEFAULT_URL_ENV:
        return settings.judges.key_file
    named = os.environ.get(way.url_env.removesuffix("_URL") + KEY_FILE_SUFFIX)
    return Path(named) if named else None


def make_proof(settings: Settings, definition: JudgeDefinition) -> RedactionProof:
    """Return the proof that questions of a judge hold nothing personal."""
    redactor = wiring.load_row_redactor(settings.redact)
    return RedactionProof(redactor, definition, wiring.now_us())


def make_client(settings: Settings, way: ServedWay) -> JudgeClient:
    """Return a client of a way's server, to be closed; UsageError if rows may not be sent there."""
    judges = settings.judges
    return connect_client(judge_server(settings, way), judges, min(60.0, judges.timeout_seconds))


def connect_client(
    server: JudgeServer, limits: JudgeSettings | CandidateSettings, read_seconds: float
) -> JudgeClient:
    """Return a client of a server, to be closed; it waits ``read_seconds`` for the next bytes."""
    return JudgeClient(
        server,
        RetryWaits(uniform, time.time, tries=limits.tries),
        time.monotonic,
        limits=CallLimits(
            concurrency=limits.concurrency,
            read_seconds=read_seconds,
            call_seconds=limits.timeout_seconds,
        ),
    )


def _calibrated(
    lake: Lake, definition: JudgeDefinition, way: JudgeWay, context: CommitContext
) -> VerdictThresholds:
    """Return thresholds by the reviews of what this judge judged; the default without enough."""
    reviewed = read_reviews(lake, context)
    records = read_fresh(
        lake,
        JUDGEMENTS_TABLE,
        context.retry,
        lambda table: read_judge_records(table, definition.judge),
    )
    for record in records:
        identity = record.identity
        if (identity.version, identity.way, identity.model) != (
            definition.version,
            way.kind,
            way.model,
        ):
            continue
        proposed = propose_thresholds([row for row, _ in record.agreement_rows(reviewed)])
        low = None if proposed is None else proposed.pass_at_most
        high = None if proposed is None else proposed.fail_at_least
        if low is not None and high is not None and low < high:
            return VerdictThresholds(pass_at_most=low, fail_at_least=high)
    return DEFAULT_THRESHOLDS


def _trace_of_id(trace_id: str) -> Trace:
    return Trace(trace_id=trace_id, app="", started_at=EARLIEST_MICROS, status="ok")
