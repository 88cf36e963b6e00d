"""What reviewers say of both sides' answers to the rows of a gate."""

from collections.abc import Iterable, Sequence

from batch.gate.blind_answers import side_of_answer
from batch.gate.gate_lines import ReviewLine
from batch.gate.side_readings import GateRow
from judges.gate.metric_names import gate_metric
from judges.gate.readings import BASELINE, CANDIDATE, GateReview, GateSide
from schemas.errors import UsageError


def side_reviews(
    rows: Sequence[GateRow], lines: Iterable[ReviewLine]
) -> dict[GateSide, dict[str, list[GateReview]]]:
    """Return the reviews of each side by the name of the verdict; of rows that are gone, nothing.

    Raises UsageError for an answer that is nobody's, and for two reviews of one answer.
    """
    places = {row.trace_id: at for at, row in enumerate(rows)}
    found: dict[GateSide, dict[str, list[GateReview]]] = {CANDIDATE: {}, BASELINE: {}}
    seen: set[tuple[GateSide, str, int]] = set()
    for line in lines:
        if (at := places.get(line.row)) is None:
            continue
        side, name = _side(rows[at], line), gate_metric(line.metric).verdict
        if (side, name, at) in seen:
            raise UsageError(
                f"two reviews say what the {side}'s answer to row {line.row} is worth in {name}: "
                "one of them would be picked"
            )
        seen.add((side, name, at))
        review = GateReview(at, line.outcome == "pass", line.probability)
        found[side].setdefault(name, []).append(review)
    return found


def _side(row: GateRow, line: ReviewLine) -> GateSide:
    if line.answer is None:
        return line.side or CANDIDATE
    side = side_of_answer(row.mark, line.answer)
    if side is None:
        raise UsageError(
            f"the review of row {line.row} names an answer that this gate has not asked about: "
            "`answer` must stay as --reviews-to wrote it"
        )
    return side
