"""Publishes or erases releases repeatedly, and is killed one write later each time.

python -m tests.batch.release.kill_jobs publish DRAFT FOLDER: with every moment at each write.
python -m tests.batch.release.kill_jobs erase RELEASES FOLDER [MOMENT]: in copies of a folder of
releases; without a moment it takes another one at each write.
Either prints the number of writes that it took.
"""

import pickle
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from batch.release.erasure.erase import erase_from_releases
from batch.release.publish.build import publish_draft
from batch.release.publish.repository import ReleaseRepository
from tests.batch.release.people import order, wanted
from tests.ending import end
from tests.kill_harness import MOMENTS, kill_at_each_write
from tests.lake.kit import patience


def publish(draft_file: Path, root: Path) -> int:
    """Publish a draft, killed at each moment of each write, each time into a separate folder."""
    draft = pickle.loads(draft_file.read_bytes())  # noqa: S301 - our own

    def attempts(step: int) -> Sequence[tuple[Path, str]]:
        return [(root / f"{step}-{i}", moment) for i, moment in enumerate(MOMENTS)]

    return kill_at_each_write(
        lambda store: publish_draft(draft, ReleaseRepository(store, patience())), attempts
    )


def erase(original: Path, root: Path, *moments: str) -> int:
    """Erase, killed at each write, each time in a separate copy."""

    def attempts(step: int) -> Sequence[tuple[Path, str]]:
        copy = root / f"{step:03}"
        shutil.copytree(original, copy)
        return [(copy, moments[0] if moments else MOMENTS[step % len(MOMENTS)])]

    return kill_at_each_write(
        lambda store: erase_from_releases(ReleaseRepository(store, patience()), wanted(), order(1)),
        attempts,
    )


if __name__ == "__main__":
    action, source, target, *rest = sys.argv[1:]
    run = publish if action == "publish" else erase
    print(run(Path(source), Path(target), *rest))
    end()
