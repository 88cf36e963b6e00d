"""A process that redacts a hostile record, and says whether it answered meanwhile.

    python -m tests.redact.answers

Prints the build, whether another thread had its turn within each part of the record's time, and
whether a signal was handled before the end.
"""

import os
import signal
import threading
import time

from redact.build import loaded_build
from tests.redact.kit import NOW, decoded, minimal
from tests.redact.test_hostile import BITS, many
from tests.redact.test_leaks import engine

_LONGEST_SILENCE = 1.0
"""Seconds of CPU, a tenth of the time that a probe is usually given in all."""


def main() -> None:
    """Redact a megabyte of each of some things."""
    redactor = engine("shipped")
    signalled: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: signalled.append(busy.is_set()))
    busy, silence = threading.Event(), [0.0]

    def beat() -> None:
        before = time.process_time()
        while busy.is_set():
            time.sleep(0.01)
            now = time.process_time()
            silence.append(now - before)
            before = now
            if len(silence) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    busy.set()
    thread = threading.Thread(target=beat)
    thread.start()
    for bit in BITS.values():
        record = minimal(messages=[{"role": "user", "content": many(bit)}])
        redactor.redact(decoded([record]), ingested_at=NOW)
    busy.clear()
    thread.join()
    print(loaded_build())
    print("answered" if max(silence) < _LONGEST_SILENCE else f"silent for {max(silence)} s of CPU")
    print("signalled" if signalled == [True] else "not signalled")


if __name__ == "__main__":
    main()
