"""Extends a runner's claims while it waits for answers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from batch.judge.judgement_store import ErasedMeanwhileError
from schemas.errors import FatalError, FencedError, RetryableError


@contextmanager
def renewed_claims(renew: Callable[[], None], every_seconds: float) -> Iterator[None]:
    """Call ``renew`` every so often in a thread of its own, until the block ends.

    A claim that cannot be extended may end: then another runner may ask the same again, and one of
    both judgements is stored.
    """
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(every_seconds):
            with suppress(ErasedMeanwhileError, FatalError, FencedError, RetryableError):
                renew()

    thread = threading.Thread(target=keep, name="claims", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
