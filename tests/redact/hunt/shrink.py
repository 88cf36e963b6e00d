"""A failing combination made as simple as it can be while it still fails."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from tests.redact.hunt.combine import Combination, Shape, build
from tests.redact.hunt.containers import PAIRS, PROSE
from tests.redact.hunt.exclusions import why_not
from tests.redact.hunt.neighbours import BY_NAME
from tests.redact.hunt.run import verdict


def shrunk(combination: Combination) -> Combination:
    """Return the simplest combination of the same value that fails in the same way."""
    was = verdict(combination).wrong.partition(":")[0]
    current = combination
    for change in _changes(combination):
        shape = dataclasses.replace(current.shape, **change)
        if why_not(current.value, shape) is not None:
            continue
        simpler = build(current.identity, current.value, shape)
        wrong = verdict(simpler).wrong
        if wrong and wrong.partition(":")[0] == was:
            current = simpler
    return current


def _changes(combination: Combination) -> Iterator[dict[str, Any]]:
    """Yield what may be simpler, the most telling first."""
    shape = combination.shape
    if shape.way == "in an id":
        yield {"key": ""}
        return
    yield {"disguise": "plain"}
    yield {"field": "text", "echo": False}
    yield {"field": "message of tool", "echo": False}
    yield {"field": "message of user", "echo": False}
    yield {"echo": False}
    yield {"container": PROSE[0] if shape.way == "said" else PAIRS[0], "seed": 0}
    if shape.way == "said":
        yield {"container": PAIRS[0], "seed": 0}
        yield {"neighbour": BY_NAME["space"]}
        yield {"neighbour": BY_NAME["alone"]}
    yield {"number": False}
    yield {"seed": 0}


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
