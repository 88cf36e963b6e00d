"""The folder of compiled expressions: shared by processes, and never worth a failure."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from goldpan.expression_files import ExpressionFolder, describe_processor
from tests.servers.worker import run_goldpan, settings


class Log:
    """What was logged."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def warning(self, event: str, **fields: Any) -> None:
        """Note it."""
        self.events.append((event, fields))

    info = error = debug = warning


@pytest.fixture
def log() -> Log:
    """A log."""
    return Log()


def test_what_is_saved_is_loaded(tmp_path: Path, log: Log) -> None:
    """Also by another object, as of another process; only the owner may read the files."""
    folder = tmp_path / "new" / "folder"
    for content in (b"first", b"second"):
        store = ExpressionFolder(folder, log)
        with store.locked("name"):
            store.save("name", content)
        assert ExpressionFolder(folder, log).load("name") == content
    assert log.events == []
    assert len(list(folder.iterdir())) == 2  # and the lock: nothing half written is left
    assert all(file.stat().st_mode & 0o077 == 0 for file in (folder, *folder.iterdir()))


def _file_in_the_way(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "file").write_text("")
    yield tmp_path / "file"
    yield tmp_path / "file" / "below"
    yield Path("/proc/goldpan")


def test_a_folder_that_cannot_be_written_is_told_and_does_no_harm(tmp_path: Path, log: Log) -> None:
    """The worker compiles, as without one."""
    for folder in _file_in_the_way(tmp_path):
        store = ExpressionFolder(folder, log)
        with store.locked("name"):
            assert store.load("name") is None
            store.save("name", b"content")
        event, fields = log.events.pop()
        assert (event, set(fields)) == ("expressions_not_kept", {"detail"})
        assert fields["detail"].startswith("GOLDPAN_REDACT__CACHE_DIR: ")


def test_links_are_not_followed(tmp_path: Path, log: Log) -> None:
    """Somebody else in a shared folder cannot make us write elsewhere."""
    target, folder = tmp_path / "target", tmp_path / "folder"
    folder.mkdir()
    target.write_text("untouched")
    for name in ("name.lock", "name.expressions"):
        (folder / name).symlink_to(target)
    store = ExpressionFolder(folder, log)
    with store.locked("name"):
        store.save("name", b"content")
    assert target.read_text() == "untouched"
    assert store.load("name") == b"content"


def _make_huge(file: Path) -> None:
    file.touch()
    os.truncate(file, 2**33)


def test_what_cannot_be_a_file_of_ours_is_not_read(tmp_path: Path, log: Log) -> None:
    """A pipe that nobody writes to, a device without an end, a file larger than the memory."""
    kept = tmp_path / "name.expressions"
    store = ExpressionFolder(tmp_path, log)
    makers: list[Callable[[], None]] = [
        lambda: os.mkfifo(kept),
        lambda: kept.symlink_to("/dev/zero"),
        lambda: _make_huge(kept),
    ]
    for make in makers:
        make()
        assert store.load("name") is None
        store.save("name", b"content")
        assert store.load("name") == b"content"
        kept.unlink()


def test_one_at_a_time(tmp_path: Path, log: Log) -> None:
    """A second one waits until the first has left, and so finds what it has made."""
    store, other = ExpressionFolder(tmp_path, log), ExpressionFolder(tmp_path, log)
    found: list[bytes | None] = []

    def wait() -> None:
        with other.locked("name"):
            found.append(other.load("name"))

    thread = threading.Thread(target=wait)
    with store.locked("name"):
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
        store.save("name", b"made")
    thread.join()
    assert found == [b"made"]


def test_who_does_not_let_go_is_not_waited_for(tmp_path: Path, log: Log) -> None:
    """A process that was stopped while it compiles stops nobody else."""
    store, other = (ExpressionFolder(tmp_path, log, lock_seconds=0.2) for _ in range(2))
    with store.locked("name"), other.locked("name"):
        pass


def test_a_processor_is_described_without_its_name() -> None:
    """The same in each process of a machine."""
    assert describe_processor() == describe_processor()
    assert len(describe_processor()) == 64


def test_a_command_keeps_its_expressions_and_loads_them(tmp_path: Path) -> None:
    """The output is the same as without a folder."""
    folder, lines = tmp_path / "kept", tmp_path / "lines.jsonl"
    lines.write_text('{"id": "1", "text": "Mail anna.smith@example.org"}\n')
    env = settings("localhost:1", tmp_path / "lake", redact__policy="strict")
    command = ("redact", "--schema", "text", str(lines))
    plain = run_goldpan(env, *command)
    assert "anna" not in plain.stdout
    env["GOLDPAN_REDACT__CACHE_DIR"] = str(folder)
    first = run_goldpan(env, *command)
    (kept,) = folder.glob("*.expressions")
    made = kept.stat()
    second = run_goldpan(env, *command)
    assert [(done.returncode, done.stdout) for done in (first, second)] == [(0, plain.stdout)] * 2
    assert kept.stat().st_mtime_ns == made.st_mtime_ns  # it was not made again
