"""Counts how recomputation changes labels: added, removed and changed ones, before and after."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from schemas.records import LabelEvent

NO_EVENT: Final = "none"
"""Represents a missing label event in the confusion matrix."""
PROBABILITY_BANDS: Final = 10
"""The number of bands of equal width that the probability of fail is divided into."""


class EventPair(NamedTuple):
    """The event in force of one trace before and after; None where there is none."""

    trace_id: str
    before: LabelEvent | None
    after: LabelEvent | None


def probability_band(p_fail: float) -> str:
    """Return the band of a probability, such as ``0.3-0.4``."""
    band = min(int(p_fail * PROBABILITY_BANDS), PROBABILITY_BANDS - 1)
    return f"{band / PROBABILITY_BANDS:.1f}-{(band + 1) / PROBABILITY_BANDS:.1f}"


@dataclass(slots=True)
class LabelDifference:
    """The numbers of traces by what changed.

    ``label``, ``band``, ``expected_response`` and ``policy`` count the ``changed`` traces whose
    label, probability band, text or policy version differs; in the rest only evidence may have
    changed. ``confusion`` counts all traces by label before and after, ``before`` and ``after`` by
    band. ``samples`` are the first traces that change.
    """

    added: int = 0
    gone: int = 0
    changed: int = 0
    same: int = 0
    label: int = 0
    band: int = 0
    expected_response: int = 0
    policy: int = 0
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    samples: list[EventPair] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Return whether anything would change."""
        return bool(self.added or self.gone or self.changed)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers. The caller shows the samples, since it knows what may be shown."""
        bands = sorted({*self.before, *self.after})
        return {
            "added": self.added,
            "gone": self.gone,
            "changed": self.changed,
            "same": self.same,
            "changes": {
                "label": self.label,
                "p_fail_band": self.band,
                "expected_response": self.expected_response,
                "policy_version": self.policy,
            },
            "confusion": [
                {"before": before, "after": after, "traces": count}
                for (before, after), count in sorted(self.confusion.items())
            ],
            "p_fail": {b: {"before": self.before[b], "after": self.after[b]} for b in bands},
        }


def compare_labels(pairs: Iterable[EventPair], *, samples: int) -> LabelDifference:
    """Compare the pairs, and keep at most ``samples`` of those that change."""
    difference = LabelDifference()
    for pair in pairs:
        _add(difference, pair)
        changes = pair.before is None or pair.after is None or not _is_same(pair)
        if changes and len(difference.samples) < samples:
            difference.samples.append(pair)
    return difference


def _add(difference: LabelDifference, pair: EventPair) -> None:
    before, after = pair.before, pair.after
    difference.confusion[_label(before), _label(after)] += 1
    if before is not None:
        difference.before[probability_band(before.p_fail)] += 1
    if after is not None:
        difference.after[probability_band(after.p_fail)] += 1
    if before is None or after is None:
        difference.added += before is None
        difference.gone += after is None
    elif _is_same(pair):
        difference.same += 1
    else:
        difference.changed += 1
        difference.label += before.label != after.label
        difference.band += probability_band(before.p_fail) != probability_band(after.p_fail)
        difference.expected_response += before.expected_response != after.expected_response
        difference.policy += before.policy_version != after.policy_version


def _is_same(pair: EventPair) -> bool:
    before, after = pair.before, pair.after
    return (
        before is not None and after is not None and before.label_event_id == after.label_event_id
    )


def _label(event: LabelEvent | None) -> str:
    return NO_EVENT if event is None else event.label
