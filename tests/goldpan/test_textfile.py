"""Metrics are written where the option says, and replace nothing that is no file."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from goldpan.cli.metrics_file import write_atomically
from schemas.errors import UsageError

DATA = b"goldpan_x 1\n"


def test_a_file_is_replaced_whole_and_keeps_who_may_read_it(tmp_path: Path) -> None:
    """A reader sees the old file or the new one; its permissions stay."""
    file = tmp_path / "a.prom"
    file.write_bytes(b"old")
    file.chmod(0o640)
    before = file.stat().st_ino
    write_atomically(file, DATA)
    assert file.read_bytes() == DATA
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.stat().st_ino != before
    assert [*tmp_path.iterdir()] == [file]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What a link names is replaced, in its own folder; also through a second link."""
    (tmp_path / "real").mkdir()
    real, link, second = tmp_path / "real" / "a.prom", tmp_path / "b.prom", tmp_path / "c.prom"
    real.write_bytes(b"old")
    link.symlink_to(Path("real") / "a.prom")
    second.symlink_to(link)
    write_atomically(second, DATA)
    assert (link.is_symlink(), second.is_symlink()) == (True, True)
    assert real.read_bytes() == DATA


def test_a_link_to_nothing_yet_is_filled(tmp_path: Path) -> None:
    """A link whose file is not there yet gets its file."""
    (tmp_path / "b.prom").symlink_to(tmp_path / "a.prom")
    write_atomically(tmp_path / "b.prom", DATA)
    assert (tmp_path / "a.prom").read_bytes() == DATA


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    """A named pipe stays one, and its reader gets the metrics."""
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, DATA)
    reader.join(60)
    assert got == [DATA]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1", "/dev/fd/1"])
@pytest.mark.parametrize("into_file", [True, False])
def test_the_standard_output_is_written_to(tmp_path: Path, name: str, into_file: bool) -> None:
    """Devices stay devices; a log that standard output goes to keeps what stood in it."""
    words = (
        "import sys; from pathlib import Path; "
        "from goldpan.cli.metrics_file import write_atomically; "
        f"write_atomically(Path({name!r}), {DATA!r})"
    )
    log = tmp_path / "log"
    log.write_bytes(b"before\n")
    with log.open("ab") as out:
        done = subprocess.run(
            [sys.executable, "-c", words], stdout=out if into_file else subprocess.PIPE, check=True
        )
    assert log.read_bytes() == (b"before\n" + DATA if into_file else b"before\n")
    assert into_file or done.stdout == DATA
    assert Path("/dev/stdout").is_symlink()


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    """One sentence, with the option."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(UsageError, match=r"^--textfile .* cannot be written"):
        write_atomically(tmp_path / "a", DATA)
