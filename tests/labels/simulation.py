"""Real conversations with made-up signals: the truth is known, so labels can be held against it.

The truth is ``outcome_reward`` of the conversations (tau-bench, an airline's agent): a conversation
has failed if its task was not really done. Each is played many times, and each time signals come of
this process, independently:

- thumbs from about 5 % of users, three times as often from the unhappy: 7.5 % of those whose task
  failed, 2.5 % of the others; 15 % of the thumbs say the opposite of the truth;
- an edit of the answer by a human agent: 25 % of the failed, 3 % of the others;
- an escalation: 35 % of the failed, 6 % of the others.

Reviewers say the truth. Conversations are split by their task: a calibration is learnt on the
tasks of one half, and tested on those of the other.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from labels.calibration_learning import ReviewedTrace, SignalPattern
from labels.decision import decide_label
from labels.diagnostics import JudgedPrediction
from labels.facts import FeedbackFacts, TraceFacts, TraceKnowledge
from labels.policy import LabelPolicy
from labels.readings import REVIEW_READINGS
from labels.scorer import LabelScorer
from schemas.records import LabelEvent

OUTCOMES = Path(__file__).parents[1] / "data" / "outcomes" / "airline.jsonl"
START = 1_793_491_200_000_000
NOW = START + 86_400_000_000


@dataclass(frozen=True)
class Played:
    """One playing of a conversation: what is known of its last trace, and the truth."""

    knowledge: TraceKnowledge
    failed: bool


class _Line(msgspec.Struct):
    task_id: int | str
    outcome_reward: float


def truths() -> tuple[list[bool], list[bool]]:
    """Return whether each conversation failed, of the tasks to learn on and of those to test on."""
    lines = [msgspec.json.decode(line, type=_Line) for line in OUTCOMES.read_bytes().splitlines()]
    tasks = {task: i for i, task in enumerate(sorted({str(line.task_id) for line in lines}))}
    halves: tuple[list[bool], list[bool]] = ([], [])
    for line in lines:
        halves[tasks[str(line.task_id)] % 2].append(line.outcome_reward < 1)
    return halves


def play(failed: list[bool], times: int, seed: int, name: str) -> list[Played]:
    """Play each conversation so many times, with the signals that the module describes."""
    rng = random.Random(f"{seed}/{name}")  # noqa: S311
    found = []
    for time in range(times):
        for number, bad in enumerate(failed):
            trace_id = f"{name}-{seed}-{time}-{number}"
            knowledge = TraceKnowledge(
                trace_id, TraceFacts(START, app="airline"), _said(trace_id, rng, bad=bad)
            )
            found.append(Played(knowledge, bad))
    return found


def _said(trace_id: str, rng: random.Random, *, bad: bool) -> list[FeedbackFacts]:
    said = []
    if rng.random() < (0.075 if bad else 0.025):
        right = rng.random() < 0.85
        value = -1.0 if bad == right else 1.0
        said.append(FeedbackFacts(f"{trace_id}-t", "thumbs", "end_user", START + 1, value))
    if rng.random() < (0.25 if bad else 0.03):
        said.append(
            FeedbackFacts(f"{trace_id}-e", "edit", "agent", START + 2, correction="Like this.")
        )
    if rng.random() < (0.35 if bad else 0.06):
        said.append(FeedbackFacts(f"{trace_id}-x", "escalation", "system", START + 3))
    return said


def decided(played: list[Played], scales: LabelScorer) -> list[LabelEvent | None]:
    """Return the label event of each playing."""
    return [decide_label(item.knowledge, scales, decided_at=NOW) for item in played]


def population(events: list[LabelEvent | None], scales: LabelScorer) -> Counter[SignalPattern]:
    """Count the traces by their signals."""
    return Counter(
        pattern_of(event, scales.policy) if event else frozenset[str]() for event in events
    )


def pattern_of(event: LabelEvent, policy: LabelPolicy) -> SignalPattern:
    """Return the signals that a label event rests on, without those of reviews."""
    return frozenset(
        item.kind
        for item in event.evidence
        if item.weight
        and item.kind in policy.signals
        and policy.reading_of(item.kind) not in REVIEW_READINGS
    )


def reviews(
    played: list[Played], events: list[LabelEvent | None], scales: LabelScorer, count: int
) -> list[ReviewedTrace]:
    """Review so many: half the most uncertain, if there are so many, the rest of the audit arm."""
    audit = [i for i, e in enumerate(events) if e is not None and e.route == "audit"]
    uncertain = sorted(
        (abs(e.p_fail - 0.5), i)
        for i, e in enumerate(events)
        if e is not None and e.route == "review"
    )
    first = [i for _, i in uncertain[: count // 2]]
    chosen = first + audit[: count - len(first)]
    return [_reviewed(played[i], events[i], scales) for i in chosen]


def _reviewed(item: Played, event: LabelEvent | None, scales: LabelScorer) -> ReviewedTrace:
    assert event is not None
    pattern = pattern_of(event, scales.policy)
    return ReviewedTrace(event.trace_id, item.failed, pattern, event.audit_probability)


def judged(
    played: list[Played], events: list[LabelEvent | None], scales: LabelScorer
) -> list[JudgedPrediction]:
    """Hold what is said of each trace against the truth; without an event, the base rate is."""
    nothing = scales.score([]).p_fail
    return [
        JudgedPrediction(event.p_fail if event else nothing, item.failed)
        for item, event in zip(played, events, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How good labels are. ``abstained`` is the share of unknown, which counts as not found."""

    precision: float
    recall: float
    f1: float
    abstained: float


def score_labels(labels: Sequence[str], failed: Sequence[bool]) -> LabelScore:
    """Score labels (pass, fail, unknown) against the truth, on the class fail."""
    pairs = list(zip(labels, failed, strict=True))
    hits = sum(label == "fail" and bad for label, bad in pairs)
    called = sum(label == "fail" for label in labels)
    failures = sum(failed)
    return LabelScore(
        precision=hits / called if called else 0.0,
        recall=hits / failures if failures else 0.0,
        f1=2 * hits / (called + failures) if called + failures else 0.0,
        abstained=sum(label == "unknown" for label in labels) / len(labels) if labels else 0.0,
    )
