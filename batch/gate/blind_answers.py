"""Names under which reviewers see answers, so that nobody sees whose an answer is.

A name is a hash of the side with the mark of the row, which has the salt of the release's row in
it: reviewers do not have it, and a gate that has it finds the side again.
"""

from hashlib import sha256

from judges.gate.readings import BASELINE, CANDIDATE, GateSide


def answer_name(mark: str, side: GateSide) -> str:
    """Return the name (16 hex digits) of a side's answer to the row with a mark."""
    return sha256(f"answer\n{side}\n{mark}".encode()).hexdigest()[:16]


def side_of_answer(mark: str, name: str) -> GateSide | None:
    """Return whose answer to a row has a name, None if nobody's has."""
    sides: tuple[GateSide, ...] = (CANDIDATE, BASELINE)
    return next((side for side in sides if answer_name(mark, side) == name), None)
