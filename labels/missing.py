"""Whether a decision of a batch job is missing from the labels, or there already, or void.

The job decides from everything that the lake holds. What it finds is added only if it would be in
force then; so a second run over the same lake adds nothing.
"""

from enum import StrEnum

from labels.decide import Rank, rank_of
from schemas.records import LabelEvent


class Finding(StrEnum):
    """What a decision is, beside the event in force.

    ``outranked``: the one in force rests on more than the lake holds now (records that retention
    took away), or was decided by a clock that ran ahead; adding would change nothing. ``older``:
    the one in force was made under an older policy or calibration, and no more is known since.
    """

    MISSING = "missing"
    THERE = "there"
    OUTRANKED = "outranked"
    OLDER = "older"


def finding(event: LabelEvent, there: Rank | None, *, rebuild: bool) -> Finding:
    """Compare a decision with the rank of the event in force, None if there is none.

    With ``rebuild`` events of an older policy or calibration are decided anew; without it only
    where more is known than they rest on.
    """
    if there is None:
        return Finding.MISSING
    if there.label_event_id == event.label_event_id:
        return Finding.THERE
    rank = rank_of(event)
    if rank < there:
        return Finding.OUTRANKED
    if there.generation < rank.generation and not rebuild and rank.evidence <= there.evidence:
        return Finding.OLDER
    return Finding.MISSING
