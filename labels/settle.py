"""What becomes of the label events of one trace when it is decided anew: which go, and what comes.

Afterwards the table is as if the policy of the new decision had always held: the decision is in
force, and nothing is left of what it took the place of. No event stays whose text is none of those
that are known of the trace now.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from labels.decide import Rank, rank_of
from schemas.records import LabelEvent


class Held(NamedTuple):
    """A label event that is in the table: its rank, and the text that it repeats."""

    rank: Rank
    expected_response: str | None = None


class Settled(NamedTuple):
    """Which of the events go, and the one that comes, None if none needs to."""

    goes: Sequence[Held]
    comes: LabelEvent | None


def settle(
    held: Sequence[Held],
    decided: LabelEvent | None,
    texts: Collection[str] | None,
    *,
    whole: bool = True,
) -> Settled:
    """Return what becomes of the events of a trace.

    ``decided`` is what everything that is known of it now comes to, None if it is worth no label:
    then all go. ``texts`` are the answers that are known of it now; None lets any text stay. An
    event in force stays if it is the same, was decided under a later policy or calibration, or
    rests on evidence that is not ``whole`` any more (it has expired), and if its text is known;
    then those before it stay too, as far as their texts are known.
    """
    first = max(held, key=lambda one: one.rank, default=None)
    if first is None or not _stays(first, decided, whole=whole) or not _known(first, texts):
        return Settled(held, decided)
    return Settled([one for one in held if not _known(one, texts)], None)


def _stays(first: Held, decided: LabelEvent | None, *, whole: bool) -> bool:
    if not whole:
        return True
    if decided is None:
        return False
    same = first.rank.label_event_id == decided.label_event_id
    return same or first.rank.generation > rank_of(decided).generation


def _known(one: Held, texts: Collection[str] | None) -> bool:
    return texts is None or one.expected_response is None or one.expected_response in texts
