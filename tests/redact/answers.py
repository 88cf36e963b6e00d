"""A process that redacts hostile records, and says whether it answered meanwhile.

    python -m tests.redact.answers SIZE

Prints the build, whether another thread had its turn all the time, and whether a signal was handled
before the end.
"""

import os
import signal
import sys
import threading
import time

from redact.build import loaded_build
from tests.redact.kit import NOW, decoded, minimal
from tests.redact.test_hostile import BITS, many
from tests.redact.test_leaks import engine

_LONGEST_SILENCE = 2.0
"""CPU-seconds of this process; the manifests give a probe 5 seconds."""


def main(size: int) -> None:
    """Redact much of each of some things."""
    redactor = engine("shipped")
    busy = threading.Event()
    silence: list[float] = []
    signalled: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: signalled.append(busy.is_set()))

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
        record = minimal(messages=[{"role": "user", "content": many(bit, size)}])
        redactor.redact(decoded([record]), ingested_at=NOW)
    busy.clear()
    thread.join()
    print(loaded_build())
    print("answered" if max(silence) < _LONGEST_SILENCE else f"silent for {max(silence)} s of CPU")
    print("signalled" if signalled == [True] else "not signalled")


if __name__ == "__main__":
    main(int(sys.argv[1]))
