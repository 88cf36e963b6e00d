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
    held: Sequence[Held], decided: LabelEvent | None, texts: Collection[str] = ()
) -> Settled:
    """Return what becomes of the events of a trace.

    ``decided`` is what everything that is known of it now comes to, None if it is worth no label:
    then all go. ``texts`` are the answers that are known of it now. An event in force stays if it
    is the same, or was decided under a later policy or calibration and repeats no other text; then
    those before it stay too, as far as their texts are known.
    """
    if decided is None:
        return Settled(held, None)
    known = {None, *texts}
    first = max(held, key=lambda one: one.rank, default=None)
    if first is None or not _stays(first, decided, known):
        return Settled(held, decided)
    return Settled([one for one in held if one.expected_response not in known], None)


def _stays(first: Held, decided: LabelEvent, known: Collection[str | None]) -> bool:
    if first.rank.label_event_id == decided.label_event_id:
        return True
    later = first.rank.generation > rank_of(decided).generation
    return later and first.expected_response in known
