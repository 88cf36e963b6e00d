"""Redacts combinations and says what is wrong with each output."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Any, NamedTuple

from tests.redact.hunt.combine import Combination, draw
from tests.redact.hunt.judge import left
from tests.redact.lines import LineSchema, outputs

BLOCK = 512


class Verdict(NamedTuple):
    """Result of a combination: ``wrong`` is empty if it holds; ``output`` is None if refused."""

    combination: Combination
    wrong: str
    output: Any


def drawn(seed: int, count: int) -> Iterator[Combination]:
    """Yield so many combinations, each followed by its harmless twin."""
    for number in range(count):
        yield from draw(seed, number)


def verdicts(combinations: Iterable[Combination]) -> Iterator[Verdict]:
    """Yield the verdict on each combination, block by block."""
    waiting = iter(combinations)
    while block := list(islice(waiting, BLOCK)):
        block.sort(key=_group)
        for (policy, schema), some in groupby(block, _group):
            chosen = list(some)
            done = outputs([one.record for one in chosen], schema, policy)
            for one, output in zip(chosen, done, strict=True):
                yield Verdict(one, _wrong(one, output), output)


def verdict(combination: Combination) -> Verdict:
    """Return the verdict on one combination."""
    return next(verdicts([combination]))


def _group(combination: Combination) -> tuple[str, LineSchema]:
    return combination.value.policy, combination.schema


def _wrong(one: Combination, output: Any) -> str:
    if output is None:
        may_refuse = one.shape.way == "in an id" and not one.harmless
        return "" if may_refuse else "refused"
    if one.harmless:
        return changed(one.record, output)
    found = left(said(output), one.value.gone, one.value.words)
    return f"left: {found}" if found else ""


def changed(record: Any, output: Any) -> str:
    """Return what redaction changed in a record, nothing if it is as it was."""
    if isinstance(record, dict) and isinstance(output, dict):
        parts = [changed(record[key], output.get(key)) for key in record]
        return "; ".join(filter(None, parts))
    if isinstance(record, list) and isinstance(output, list) and len(record) == len(output):
        return "; ".join(filter(None, map(changed, record, output)))
    return "" if record == output else f"changed: {output!r}"


def said(output: Any) -> Any:
    """Return a record without the findings that `goldpan redact` adds to a text."""
    return {key: value for key, value in output.items() if key not in {"findings", "started_at"}}
