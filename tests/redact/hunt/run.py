"""Redacts combinations and says what is wrong with each output."""

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby, islice
from typing import Any, NamedTuple

from redact.policy import load_policy
from redact.text import LineRedactor, Schema
from tests.redact.hunt.combine import Combination, draw
from tests.redact.hunt.judge import left
from tests.redact.kit import KEYS

BLOCK = 512


class Verdict(NamedTuple):
    """What came of a combination: nothing in ``wrong`` if it holds; ``output`` None if refused."""

    combination: Combination
    wrong: str
    output: Any


@lru_cache
def redactor(policy: str, schema: Schema) -> LineRedactor:
    """Return the redactor of a preset, built once a run."""
    return LineRedactor(load_policy(policy), KEYS, schema)


def drawn(seed: int, count: int) -> Iterator[Combination]:
    """Yield so many combinations, each followed by its harmless twin."""
    for number in range(count):
        yield from draw(seed, number)


def verdicts(combinations: Iterable[Combination]) -> Iterator[Verdict]:
    """Yield what came of each combination, block by block."""
    waiting = iter(combinations)
    while block := list(islice(waiting, BLOCK)):
        block.sort(key=_group)
        for (policy, schema), some in groupby(block, _group):
            yield from _judged(redactor(policy, schema), list(some))


def verdict(combination: Combination) -> Verdict:
    """Return what came of one combination."""
    return next(verdicts([combination]))


def _group(combination: Combination) -> tuple[str, Schema]:
    return combination.value.policy, combination.schema


def _judged(lines: LineRedactor, some: list[Combination]) -> Iterator[Verdict]:
    done = lines.lines([json.dumps(one.record) for one in some])
    for one, line in zip(some, done, strict=True):
        output = None if line.output is None else json.loads(line.output)
        yield Verdict(one, _wrong(one, output, line.problem), output)


def _wrong(one: Combination, output: Any, problem: str | None) -> str:
    if output is None:
        may_refuse = one.shape.way == "in an id" and not one.harmless
        return "" if may_refuse else str(problem)
    if one.harmless:
        return changed(one.record, output)
    found = left(_written_by_people(output), one.value.gone, one.value.words)
    return f"left: {found}" if found else ""


def changed(record: Any, output: Any) -> str:
    """Return what redaction changed in a record, nothing if it is as it was."""
    if isinstance(record, dict) and isinstance(output, dict):
        parts = [changed(record[key], output.get(key)) for key in record]
        return "; ".join(filter(None, parts))
    if isinstance(record, list) and isinstance(output, list) and len(record) == len(output):
        return "; ".join(filter(None, map(changed, record, output)))
    return "" if record == output else f"changed: {output!r}"


def _written_by_people(output: Any) -> Any:
    """Return a record without the findings that `goldpan redact` adds to a text."""
    return {key: value for key, value in output.items() if key not in {"findings", "started_at"}}
