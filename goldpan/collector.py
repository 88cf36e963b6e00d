"""Pauses the cycle collector while modules are imported.

Imports make hundreds of thousands of objects that stay, and the collector goes through them again
and again: a tenth of the CPU time of a start.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Collect nothing meanwhile; afterwards leave alone what was made, if the collector was on."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
