"""Sets up the metrics of answers: rows, judges, imported verdicts, and the retries in the lake."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch.judge.judge_record import read_judge_records
from batch.judge.measured_rows import (
    PlannedVerdicts,
    RecordedVerdicts,
    VerdictSource,
    days_of,
    measured_row,
    sessions_of,
    with_retries,
)
from batch.judge.retried_traces import read_retried
from batch.labels.scorer_loader import load_configured_policy
from batch.progress import ReportProgress
from goldpan import jobs
from goldpan.judge_setup import SubjectChoice, set_up_judge, subject_source
from goldpan.settings import Settings
from judges.definition import load_judge
from judges.metrics.metric import MeasuredRow
from judges.metrics.report import JUDGE_ROLES
from lake.fresh_read import read_fresh
from lake.table_commit import CommitContext
from lake.tables import Lake
from schemas.arrow import JUDGEMENTS_TABLE


@dataclass(slots=True)
class MeasuredRows:
    """The rows that metrics measure, and who judged them, by the name that metrics use.

    ``not_sampled`` counts rows that are in no metric: a spec names them, or they are synthetic.
    """

    sources: Mapping[str, VerdictSource]
    rows: list[MeasuredRow] = field(default_factory=list)
    not_sampled: int = 0

    @property
    def weight(self) -> float:
        """Return how many traces the rows stand for."""
        return sum(1 / row.weighted.probability for row in self.rows)

    def judges_json(self) -> dict[str, Any]:
        """Return who judged, as JSON."""
        return {name: source.to_json() for name, source in self.sources.items()}


def read_measured_rows(
    settings: Settings, choice: SubjectChoice, judges: Mapping[str, Path], progress: ReportProgress
) -> MeasuredRows:
    """Read rows with everything that metrics measure them by; nobody is asked.

    ``judges`` are files by the name that metrics use. Without a file, verdicts count that were
    imported under that name. Raises UsageError as `set_up_judge` and `subject_source` do.
    """
    lake, context = Lake(settings.lake), jobs.job_context()
    source = subject_source(settings, lake, context, choice)
    sources: dict[str, VerdictSource] = {}
    for name in JUDGE_ROLES:
        found = (
            _planned(settings, judges[name]) if name in judges else _imported(lake, context, name)
        )
        if found is not None:
            sources[name] = found
    measured = MeasuredRows(sources)
    for subject in source():
        if subject.is_sampled:
            measured.rows.append(measured_row(subject, sources))
        else:
            measured.not_sampled += 1
        progress("reading", len(measured.rows), 0)
    days = days_of(measured.rows)
    if days is not None and not settings.labels.off:
        max_gap = load_configured_policy(settings.labels, lake.location).retry_micros
        sessions = sessions_of(measured.rows)
        retried = read_retried(lake, days, sessions, max_gap, context.retry)
        measured.rows = with_retries(measured.rows, retried)
    return measured


def _planned(settings: Settings, file: Path) -> PlannedVerdicts:
    setup = set_up_judge(settings, load_judge(file))
    if setup.plan.served_way is not None:  # the others answer here
        setup.store.refresh()
    return PlannedVerdicts(setup.plan, setup.store.known)


def _imported(lake: Lake, context: CommitContext, name: str) -> RecordedVerdicts | None:
    """Return the verdicts that were imported last under a name, None if there are none."""
    records = read_fresh(
        lake,
        JUDGEMENTS_TABLE,
        context.retry,
        lambda table: read_judge_records(table, name),
    )
    imported = [record for record in records if record.identity.version is None]
    return RecordedVerdicts(imported[0]) if imported else None
