"""Erases from copies of a folder of releases and dies one step later each time.

``python -m tests.batch.release.dying_erasing SHELF FOLDER [MOMENT]`` prints the number of steps
that it took to get through. Without a moment it takes another one at each step.
"""

import os
import shutil
import sys
from pathlib import Path

from batch.release.erasure.erase import erase_from_releases
from batch.release.publish.repository import ReleaseRepository
from tests.batch.release.dying import MOMENTS
from tests.batch.release.interrupted import DyingStore
from tests.batch.release.people import order, wanted
from tests.ending import end
from tests.lake.kit import patience


def lives(folder: Path, step: int, moment: str) -> bool:
    """Erase in a child process; return whether it survived."""
    child = os.fork()
    if child == 0:
        erase_from_releases(
            ReleaseRepository(DyingStore(folder, step, moment), patience()), wanted(), order(1)
        )
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"an eraser failed at step {step}, {moment}")
    return not os.WIFSIGNALED(status)


def main() -> None:
    """Die at every step, each time in a separate copy."""
    original, root, *moments = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
    step = 0
    while True:
        step += 1
        moment = moments[0] if moments else MOMENTS[step % len(MOMENTS)]
        shutil.copytree(original, root / f"{step:03}")
        if lives(root / f"{step:03}", step, moment):
            print(step - 1)
            return


if __name__ == "__main__":
    main()
    end()
