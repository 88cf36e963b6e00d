"""Decides how a new decision on a trace changes the label events already in a table.

A batch job decides from everything that the lake holds. A reconciliation adds a decision only if it
would be in force, so a second run over the same lake adds nothing. A replacement leaves the table
as if the policy of the new decision had always applied: the decision is in force, and the events it
replaces are removed. No event keeps a text that is not among the known texts of its trace.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple

from labels.decision import EventRank, event_rank
from schemas.records import LabelEvent


class ReconcileStatus(StrEnum):
    """How a decision compares with the event in force.

    ``outranked``: the event in force rests on more than the lake holds now (records that expired),
    or was decided by a fast clock, so adding the decision would change nothing. ``older``: the
    event in force was decided under an older policy or calibration, and nothing new is known.
    """

    MISSING = "missing"
    PRESENT = "there"
    OUTRANKED = "outranked"
    OLDER = "older"


def reconcile_status_of(
    event: LabelEvent, in_force: EventRank | None, *, rebuild: bool
) -> ReconcileStatus:
    """Compare a decision with the rank of the event in force, None if there is none.

    With ``rebuild``, decisions also replace events of an older policy or calibration; without it
    they do so only if they rest on more evidence.
    """
    if in_force is None:
        return ReconcileStatus.MISSING
    if in_force.label_event_id == event.label_event_id:
        return ReconcileStatus.PRESENT
    rank = event_rank(event)
    if rank < in_force:
        return ReconcileStatus.OUTRANKED
    if in_force.generation < rank.generation and not rebuild and rank.evidence <= in_force.evidence:
        return ReconcileStatus.OLDER
    return ReconcileStatus.MISSING


class ExistingEvent(NamedTuple):
    """A label event in the table: its rank, and the text that it repeats."""

    rank: EventRank
    expected_response: str | None = None


class ReplacementPlan(NamedTuple):
    """The events to remove, and the one to add, None if none is needed."""

    removed: Sequence[ExistingEvent]
    added: LabelEvent | None


def plan_replacement(
    existing: Sequence[ExistingEvent],
    decided: LabelEvent | None,
    texts: Collection[str] | None,
    *,
    complete: bool = True,
) -> ReplacementPlan:
    """Return which events of a trace to remove, and which one to add.

    ``decided`` is the decision from everything known now, None if the trace warrants no label: then
    all events are removed. ``texts`` are the answers known now; None allows any text.

    The event in force stays if its text is known and it is the same, was decided under a later
    policy or calibration, or rests on evidence that is not ``complete`` any more (it expired). Then
    the events before it stay too, if their texts are known.
    """
    in_force = max(existing, key=lambda event: event.rank, default=None)
    if (
        in_force is None
        or not _stays(in_force, decided, complete=complete)
        or not _text_known(in_force, texts)
    ):
        return ReplacementPlan(existing, decided)
    return ReplacementPlan([event for event in existing if not _text_known(event, texts)], None)


def _stays(in_force: ExistingEvent, decided: LabelEvent | None, *, complete: bool) -> bool:
    if not complete:
        return True
    if decided is None:
        return False
    same = in_force.rank.label_event_id == decided.label_event_id
    return same or in_force.rank.generation > event_rank(decided).generation


def _text_known(event: ExistingEvent, texts: Collection[str] | None) -> bool:
    return texts is None or event.expected_response is None or event.expected_response in texts
