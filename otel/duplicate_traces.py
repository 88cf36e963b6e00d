"""Finds traces that account for model calls which another trace accounts for, too.

Two instrumentations that do not share a context write one call as two root traces. A trace is a
duplicate only if each of its calls is certainly a call of the other trace.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from otel.call_accounts import CallAccount, TraceAccount, is_same_process

MAX_CONCURRENT: Final = 64
"""Equal calls at the same time; beyond this no pair of them is certain."""


@dataclass(frozen=True, slots=True)
class _Call:
    trace: int
    account: CallAccount


def find_duplicates(traces: Iterable[TraceAccount]) -> dict[str, str]:
    """Return for each trace that is a duplicate the trace that is in force in its place.

    Depends on the set of traces only, which has to hold earlier duplicates too. In force is the
    trace with more calls, then the one whose row says more, then the one that began first, then
    the one with the lower id. It is never a duplicate itself.
    """
    ordered = sorted({trace.trace_id: trace for trace in traces}.values(), key=_rank)
    matched = _match_calls(ordered)
    in_force: dict[int, int] = {}
    for number, trace in enumerate(ordered):
        counterparts = [matched.get((number, place), set()) for place in range(len(trace.calls))]
        common = set.intersection(*counterparts) if counterparts else set()
        better = min((other for other in common if other < number), default=None)
        if better is not None:
            in_force[number] = in_force.get(better, better)
    return {ordered[number].trace_id: ordered[other].trace_id for number, other in in_force.items()}


def _rank(trace: TraceAccount) -> tuple[int, int, int, str]:
    start = min((call.start_ns for call in trace.calls), default=0)
    return -len(trace.calls), -trace.filled, start, trace.trace_id


def _match_calls(traces: Sequence[TraceAccount]) -> dict[tuple[int, int], set[int]]:
    """Return for each call, as places of trace and call, the traces that certainly hold it too."""
    calls = [_Call(number, call) for number, trace in enumerate(traces) for call in trace.calls]
    places = [(n, place) for n, trace in enumerate(traces) for place in range(len(trace.calls))]
    pairs: set[tuple[int, int]] = set()
    for bucket in _group_equal(calls):
        pairs.update(_pair_up(bucket, calls))
    matched: dict[tuple[int, int], set[int]] = defaultdict(set)
    for one, other in _keep_certain(pairs, calls):
        matched[places[one]].add(calls[other].trace)
        matched[places[other]].add(calls[one].trace)
    return matched


def _group_equal(calls: Sequence[_Call]) -> list[list[int]]:
    """Return the calls that have their content, or the id of their response, in common."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, call in enumerate(calls):
        if call.account.content is not None:
            groups["content", call.account.content].append(number)
        if call.account.response_id is not None:
            groups["response", call.account.response_id].append(number)
    return [group for group in groups.values() if len(group) > 1]


def _pair_up(bucket: Sequence[int], calls: Sequence[_Call]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of a bucket that can be one call, in order of time.

    Where too many calls run at once, nothing is certain about them, and none is paired.
    """
    running: list[int] = []
    crowded: set[int] = set()
    crowded_until = 0
    pairs: list[tuple[int, int]] = []
    for number in sorted(bucket, key=lambda n: (calls[n].account.start_ns, n)):
        account = calls[number].account
        running = [n for n in running if calls[n].account.end_ns >= account.start_ns]
        if len(running) >= MAX_CONCURRENT or account.start_ns <= crowded_until:
            crowded.update(running, [number])
            ends = [calls[n].account.end_ns for n in (*running, number)]
            crowded_until = max(crowded_until, *ends)
            running = []
            continue
        pairs += [
            (earlier, number)
            for earlier in running
            if calls[earlier].trace != calls[number].trace
            and _can_be_one(calls[earlier].account, account)
        ]
        running.append(number)
    return (pair for pair in pairs if not crowded.intersection(pair))


def _can_be_one(one: CallAccount, other: CallAccount) -> bool:
    """Return whether nothing speaks against two accounts with equal content being one call."""
    if one.response_id is not None and other.response_id is not None:
        if one.response_id != other.response_id:
            return False
        other_instrumentation = one.instrumentations.isdisjoint(other.instrumentations)
    else:
        other_instrumentation = _scopes(one).isdisjoint(_scopes(other))
    return (
        other_instrumentation
        and _overlap(one, other)
        and not (one.models and other.models and one.models.isdisjoint(other.models))
        and all(
            a is None or b is None or a == b for a, b in zip(one.tokens, other.tokens, strict=True)
        )
        and is_same_process(one.resource, other.resource)
    )


def _scopes(account: CallAccount) -> set[str]:
    return {scope for scope, _ in account.instrumentations}


def _overlap(one: CallAccount, other: CallAccount) -> bool:
    """Return whether at least half of the shorter call lies within the longer one."""
    shorter = min(one.end_ns - one.start_ns, other.end_ns - other.start_ns)
    common = min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns)
    timed = shorter >= 0 and min(one.start_ns, other.start_ns) > 0
    return timed and common >= 0 and 2 * common >= shorter


def _keep_certain(
    pairs: Iterable[tuple[int, int]], calls: Sequence[_Call]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs in which each call is the only candidate of its kind for the other one.

    Equal questions that are answered at the same time give several candidates: which belong
    together is not certain then, so all of them stay.
    """
    pairs = list(pairs)
    scopes = [frozenset(_scopes(call.account)) for call in calls]
    candidates = Counter(
        (call, scopes[candidate]) for pair in pairs for call, candidate in (pair, pair[::-1])
    )
    for one, other in pairs:
        if candidates[one, scopes[other]] == 1 and candidates[other, scopes[one]] == 1:
            yield one, other
