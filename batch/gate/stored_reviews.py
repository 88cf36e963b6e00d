"""The reviews of a candidate's answers that are in the lake, as a gate reads them."""

from collections.abc import Mapping

from batch.gate.gate_lines import ReviewLine
from judges.gate.answer_queue import AnswerQueue, AnswerSource
from judges.gate.definition import GateDefinition
from judges.gate.metric_names import base_name
from judges.gate.readings import CANDIDATE
from schemas.errors import UsageError

ReviewLines = Mapping[tuple[str, str], ReviewLine]
"""Reviews by row and metric."""


def stored_reviews(
    queue: AnswerQueue, source: AnswerSource, definition: GateDefinition
) -> dict[tuple[str, str], ReviewLine]:
    """Return what reviewers say of a candidate's answers, for the metrics that a gate requires.

    Only answers with all their reviews count (`AnswerQueue.verdicts`).
    """
    required = {base_name(text) for text in definition.require}
    found = {}
    for answer, is_good in queue.verdicts():
        if answer.side != CANDIDATE or answer.source != source:
            continue
        if answer.metric in required:
            line = ReviewLine(
                row=answer.trace_id,
                metric=answer.metric,
                outcome="pass" if is_good else "fail",
                probability=answer.probability,
            )
            found[line.row, line.metric] = line
    return found


def add_reviews(stored: ReviewLines, from_file: ReviewLines) -> dict[tuple[str, str], ReviewLine]:
    """Return the reviews of the lake, and those of a file about other answers.

    Raises UsageError if both say something else of one answer: one of them would be picked.
    """
    found = dict(stored)
    contradicted = 0
    for line in from_file.values():
        same = found.setdefault((line.row, base_name(line.metric)), line)
        contradicted += same.outcome != line.outcome
    if contradicted:
        raise UsageError(
            f"--reviews says something else of {contradicted} answers than the reviews in the "
            "lake, and one of both would be picked: leave these lines out, or let their reviewers "
            "submit other verdicts"
        )
    return found
