"""How far each judge agrees with reviewers: ``goldpan judge agreement``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batch.judge.estimates import estimates_json
from batch.judge.judge_record import JudgeIdentity, JudgeRecord
from batch.judge.reported_rows import ReportedRows
from batch.judge.reviewed_answers import ReviewedAnswer
from batch.judge.run_report import JudgeRunReport
from judges.agreement.confusion import JudgeAgreement, agreement_by, measure_agreement
from judges.agreement.flips import JudgeFlips, measure_flips
from judges.agreement.rows import AgreementRow
from judges.agreement.thresholds import ProposedThresholds, propose_thresholds

MOST_VALUES: Final = 30
"""Of a segment with more values no agreement is measured: each would have few reviews."""


@dataclass(frozen=True, slots=True)
class JudgeAgreementReport:
    """One judge against reviewers.

    ``unfair`` counts reviews without a known probability, which correct nothing. ``segments`` are
    by name and value.
    """

    identity: JudgeIdentity
    run: JudgeRunReport
    reviewed: Mapping[str, ReviewedAnswer]
    agreement: JudgeAgreement
    flips: JudgeFlips
    segments: Mapping[str, Mapping[str, JudgeAgreement]]
    epochs: Mapping[str, JudgeAgreement]
    served: Mapping[int, Sequence[str]]
    thresholds: ProposedThresholds | None
    unfair: int
    cost_usd: float

    @property
    def sentence(self) -> str:
        """Return the line that people read."""
        worth = self.agreement.worth
        if worth is None:
            return "too few reviews with a known probability to say what this judge is worth"
        return worth.sentence

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        agreement = self.agreement.to_json()
        return {
            "judge": self.identity.judge,
            "version": self.identity.version,
            "judge_digest": self.identity.judge_digest,
            "way": self.identity.way,
            "model": self.identity.model,
            "outcomes": self.run.counts.to_json(),
            "as_judged": _without_outcomes(self.run.as_judged.to_json()),
            "estimates": estimates_json(self.run, self.reviewed),
            **agreement,
            "sentence": self.sentence,
            "reviews_without_probability": self.unfair,
            "flips": self.flips.to_json(),
            "segments": {
                name: {value: part.to_json() for value, part in parts.items()}
                for name, parts in self.segments.items()
            },
            "epochs": {
                epoch: {"models": list(self.served.get(int(epoch), ())), **part.to_json()}
                for epoch, part in self.epochs.items()
            },
            "thresholds": None if self.thresholds is None else self.thresholds.to_json(),
            "cost_usd": self.cost_usd,
        }


def report_agreement(
    record: JudgeRecord, reviewed: Mapping[str, ReviewedAnswer], *, at_most_wrong: float = 0.2
) -> JudgeAgreementReport:
    """Measure one judge against the reviewed traces.

    ``at_most_wrong`` is the share of wrong verdicts that the proposed thresholds accept.
    """
    found = record.agreement_rows(reviewed)
    newest = _newest(found)
    rows = [row for row, _ in newest]
    judged_rows = record.rows
    judged = {row.trace_id for row in judged_rows}
    return JudgeAgreementReport(
        identity=record.identity,
        run=JudgeRunReport(ReportedRows.of(judged_rows)),
        reviewed=reviewed,
        agreement=measure_agreement(rows),
        flips=measure_flips(record.repeated()),
        segments=_by_segment(newest),
        epochs=agreement_by([row for row, _ in found], lambda row: str(row.epoch)),
        served={epoch: sorted(names) for epoch, names in record.served.items()},
        thresholds=propose_thresholds(rows, at_most_wrong=at_most_wrong),
        unfair=sum(each.probability is None for trace, each in reviewed.items() if trace in judged),
        cost_usd=record.cost_usd,
    )


def _newest(
    found: Sequence[tuple[AgreementRow, Mapping[str, str]]],
) -> list[tuple[AgreementRow, Mapping[str, str]]]:
    """Return the rows of the newest epoch: two epochs do not compare by themselves."""
    newest = max((row.epoch for row, _ in found), default=0)
    return [(row, segments) for row, segments in found if row.epoch == newest]


def _by_segment(
    rows: Sequence[tuple[AgreementRow, Mapping[str, str]]],
) -> dict[str, Mapping[str, JudgeAgreement]]:
    names = sorted({name for _, segments in rows for name in segments})
    parts = {}
    for name in names:
        of_name = [
            row._replace(segment=segments[name]) for row, segments in rows if name in segments
        ]
        if len({row.segment for row in of_name}) <= MOST_VALUES:
            parts[name] = agreement_by(of_name, lambda row: row.segment)
    return parts


def _without_outcomes(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "outcomes"}
