"""The time by the clock of the store: a folder's file system, or the server of a bucket."""

import os
import time
from pathlib import Path

import pytest

from lake.objects import FolderStore
from lake.s3_store import S3Store
from lake.store_clock import MAX_CLOCK_DIFFERENCE_SECONDS, read_store_time
from schemas.errors import FatalError
from tests.servers.s3 import S3

SECOND = 1_000_000


class Elsewhere(FolderStore):
    """A folder on a server whose clock is behind this machine's by so many seconds."""

    def __init__(self, root: Path, behind: float) -> None:
        super().__init__(root)
        self._place, self._behind = root, behind

    def stamp(self, path: str) -> int:
        """Give the file the time of that server."""
        super().stamp(path)
        at = time.time() - self._behind
        os.utime(self._place / path, (at, at))
        return int(at * SECOND)


def now() -> int:
    """The time of this machine."""
    return time.time_ns() // 1000


@pytest.mark.parametrize(
    "behind", [0, MAX_CLOCK_DIFFERENCE_SECONDS - 60, 60 - MAX_CLOCK_DIFFERENCE_SECONDS]
)
def test_the_time_is_the_stores(tmp_path: Path, behind: float) -> None:
    """Where the two differ by little, it is the store's that counts."""
    there = read_store_time(Elsewhere(tmp_path, behind), now)
    assert abs(there - (now() - behind * SECOND)) < 30 * SECOND


@pytest.mark.parametrize(
    "behind",
    [MAX_CLOCK_DIFFERENCE_SECONDS + 60, -MAX_CLOCK_DIFFERENCE_SECONDS - 60, 4 * 366 * 86_400.0],
)
def test_a_clock_that_differs_is_refused_with_both_times(tmp_path: Path, behind: float) -> None:
    """Nobody can say which of the two is wrong, so both are told."""
    with pytest.raises(
        FatalError, match=r"of this machine says 20\d\d-.* UTC, but that of .* says 20\d\d-"
    ):
        read_store_time(Elsewhere(tmp_path, behind), now)


def test_a_store_that_is_slow_is_not_a_clock_that_is_wrong(tmp_path: Path) -> None:
    """The object may be written at any time between the question and the answer."""
    asked = iter([now() - 3600 * SECOND, now() + 3600 * SECOND])
    assert read_store_time(FolderStore(tmp_path), lambda: next(asked)) > 0


@pytest.mark.s3
def test_a_bucket_has_a_clock_too(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from one small object, which is always the same."""
    for name, value in s3.env().items():
        monkeypatch.setenv(name, value)
    files = S3Store(s3.create_bucket(), "lake/clock", endpoint_url=s3.endpoint)
    for _ in range(2):
        assert abs(read_store_time(files, now) - now()) < 30 * SECOND
    assert [path for path, _ in files.walk("")] == ["now"]
