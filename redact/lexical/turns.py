"""Gives other threads their turn while a compiled loop runs.

Pure Python does so by itself, every few milliseconds. Compiled code keeps the interpreter's lock
until it calls something that gives it up. Without that `/livez` would have no answer while a
hostile record is read.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

STEPS_OF_A_TURN: Final = 1_024
"""Steps of a loop, of a few microseconds each, between two turns of other threads."""


def with_turns(steps: Iterable[T]) -> Iterator[T]:
    """Yield the steps of a long loop, and now and then let a thread run that waits for its turn."""
    for count, step in enumerate(steps, 1):
        if count % STEPS_OF_A_TURN == 0:
            time.sleep(0)  # gives up the lock; at once back if nobody waits
        yield step
