"""A failing combination made as simple as it can be while it still fails."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.redact.hunt.combine import Combination, Shape, build
from tests.redact.hunt.containers import PAIRS, PROSE
from tests.redact.hunt.exclusions import why_not
from tests.redact.hunt.neighbours import BY_NAME
from tests.redact.hunt.run import verdict

PLAIN_LINES = next(one for one in PAIRS if one.name == "key: value")


def shrunk(combination: Combination) -> Combination:
    """Return the simplest combination of the same value that fails in the same way."""
    was = verdict(combination).wrong.partition(":")[0]
    current = combination
    for alternatives in _changes(combination):
        for change in alternatives:
            shape = dataclasses.replace(current.shape, **change)
            if shape == current.shape:
                break
            simpler = build(current.identity, current.value, shape)
            if why_not(current.value, shape) is None and _fails(simpler, was):
                current = simpler
                break
    return current


def _fails(combination: Combination, how: str) -> bool:
    return verdict(combination).wrong.partition(":")[0] == how


def _changes(combination: Combination) -> Iterator[tuple[dict[str, Any], ...]]:
    """Yield simplifications, the most informative first: the first failing one of each group."""
    shape = combination.shape
    if shape.way == "in an id":
        yield ({"key": ""},)
        yield ({"field": "session id"},)
        return
    fields = ("text", "message of tool", "message of user")
    yield ({"echo": False},)
    yield ({"disguise": "plain"},)
    yield tuple({"field": name} for name in fields)
    if shape.way == "said":
        yield ({"container": PROSE[0], "seed": 0}, {"container": PAIRS[0], "seed": 0})
        yield ({"neighbour": BY_NAME["alone"]}, {"neighbour": BY_NAME["space"]})
    else:
        yield ({"container": PAIRS[0], "seed": 0}, {"container": PLAIN_LINES, "seed": 0})
    yield ({"number": False},)
    yield ({"seed": 0},)


def signature(shrunk_combination: Combination) -> str:
    """Return the kind of a failure: all that could not be made simpler."""
    value, shape = shrunk_combination.value, shrunk_combination.shape
    parts = [value.kind, shape.way]
    parts += _unless_plain(shape)
    return " / ".join(parts)


def _unless_plain(shape: Shape) -> list[str]:
    plain = {"plain", "sentence", "JSON", "space", "alone", "text"}
    names = [shape.disguise, shape.container.name, shape.neighbour.name, shape.field]
    more = ["echo"] * shape.echo + ["number"] * shape.number
    return [name for name in names if name not in plain] + more
