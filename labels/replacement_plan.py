"""What becomes of the label events of one trace when it is decided anew: which go, and what comes.

Afterwards the table is as if the policy of the new decision had always held: the decision is in
force, and nothing is left of what it took the place of. No event stays whose text is none of those
that are known of the trace now.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from labels.decision import EventRank, event_rank
from schemas.records import LabelEvent


class ExistingEvent(NamedTuple):
    """A label event that is in the table: its rank, and the text that it repeats."""

    rank: EventRank
    expected_response: str | None = None


class ReplacementPlan(NamedTuple):
    """Which of the events go, and the one that comes, None if none needs to."""

    goes: Sequence[ExistingEvent]
    comes: LabelEvent | None


def plan_replacement(
    held: Sequence[ExistingEvent],
    decided: LabelEvent | None,
    texts: Collection[str] | None,
    *,
    whole: bool = True,
) -> ReplacementPlan:
    """Return what becomes of the events of a trace.

    ``decided`` is what everything that is known of it now comes to, None if it is worth no label:
    then all go. ``texts`` are the answers that are known of it now; None lets any text stay. An
    event in force stays if it is the same, was decided under a later policy or calibration, or
    rests on evidence that is not ``whole`` any more (it has expired), and if its text is known;
    then those before it stay too, as far as their texts are known.
    """
    first = max(held, key=lambda one: one.rank, default=None)
    if first is None or not _stays(first, decided, whole=whole) or not _known(first, texts):
        return ReplacementPlan(held, decided)
    return ReplacementPlan([one for one in held if not _known(one, texts)], None)


def _stays(first: ExistingEvent, decided: LabelEvent | None, *, whole: bool) -> bool:
    if not whole:
        return True
    if decided is None:
        return False
    same = first.rank.label_event_id == decided.label_event_id
    return same or first.rank.generation > event_rank(decided).generation


def _known(one: ExistingEvent, texts: Collection[str] | None) -> bool:
    return texts is None or one.expected_response is None or one.expected_response in texts
