"""The reviews of answers that are in the lake, as a gate reads them."""

from collections.abc import Mapping

from batch.gate.gate_lines import ReviewLine
from judges.gate.answer_queue import AnswerQueue, AnswerSource
from judges.gate.metric_names import gate_metric
from judges.gate.readings import CANDIDATE
from schemas.errors import UsageError

ReviewLines = Mapping[tuple[str, str, str], ReviewLine]
"""Reviews by row, whose answer it is, and metric."""


def stored_reviews(
    queue: AnswerQueue, sources: Mapping[str, AnswerSource]
) -> dict[tuple[str, str, str], ReviewLine]:
    """Return what reviewers say of the answers that were drawn for the metrics of a gate.

    ``sources`` say from what, by metric. Only answers with all their reviews count
    (`AnswerQueue.verdicts`).
    """
    found = {}
    for answer, is_good in queue.verdicts():
        if answer.source == sources.get(answer.metric):
            line = ReviewLine(
                row=answer.trace_id,
                metric=answer.metric,
                outcome="pass" if is_good else "fail",
                probability=answer.probability,
                side=None if answer.side == CANDIDATE else answer.side,
            )
            found[_key(line)] = line
    return found


def add_reviews(
    stored: ReviewLines, from_file: ReviewLines
) -> dict[tuple[str, str, str], ReviewLine]:
    """Return the reviews of the lake, and those of a file about other answers.

    Raises UsageError if both say something else of one answer: one of them would be picked.
    """
    found = dict(stored)
    contradicted = 0
    for line in from_file.values():
        same = found.setdefault(_key(line), line)
        contradicted += same.outcome != line.outcome
    if contradicted:
        raise UsageError(
            f"--reviews says something else of {contradicted} answers than the reviews in the "
            "lake, and one of both would be picked: leave these lines out, or let their reviewers "
            "submit other verdicts"
        )
    return found


def _key(line: ReviewLine) -> tuple[str, str, str]:
    return line.row, line.answer_of, gate_metric(line.metric).verdict
