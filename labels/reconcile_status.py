"""Whether a decision of a batch job is missing from the labels, or there already, or void.

The job decides from everything that the lake holds. What it finds is added only if it would be in
force then; so a second run over the same lake adds nothing.
"""

from enum import StrEnum

from labels.decision import EventRank, event_rank
from schemas.records import LabelEvent


class ReconcileStatus(StrEnum):
    """What a decision is, beside the event in force.

    ``outranked``: the one in force rests on more than the lake holds now (records that retention
    took away), or was decided by a clock that ran ahead; adding would change nothing. ``older``:
    the one in force was made under an older policy or calibration, and no more is known since.
    """

    MISSING = "missing"
    THERE = "there"
    OUTRANKED = "outranked"
    OLDER = "older"


def reconcile_status_of(
    event: LabelEvent, there: EventRank | None, *, rebuild: bool
) -> ReconcileStatus:
    """Compare a decision with the rank of the event in force, None if there is none.

    With ``rebuild`` events of an older policy or calibration are decided anew; without it only
    where more is known than they rest on.
    """
    if there is None:
        return ReconcileStatus.MISSING
    if there.label_event_id == event.label_event_id:
        return ReconcileStatus.THERE
    rank = event_rank(event)
    if rank < there:
        return ReconcileStatus.OUTRANKED
    if there.generation < rank.generation and not rebuild and rank.evidence <= there.evidence:
        return ReconcileStatus.OLDER
    return ReconcileStatus.MISSING
