"""goldpan as a process: started with an environment of its own, watched through its log."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

from goldpan.cli.main import run_command
from tests.servers.fork_server import CapturedProcess
from tests.servers.mock_kafka import QUICK, MockKafka
from tests.servers.process import ForkedChild

TEST_KEY = base64.b64encode(bytes(range(32))).decode()

_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.05
_SLOWEST_POLL_SECONDS = 0.5


class HasBootstrap(Protocol):
    """Anything with the address of a broker."""

    bootstrap: str


def settings(kafka: HasBootstrap | str, lake_uri: str | Path, **more: object) -> dict[str, str]:
    """The environment of a worker: where Kafka and the lake are, and settings that suit tests.

    ``more`` names settings as ``kafka__group_id="g"`` or ``stream__flush_seconds=2`` and wins over
    the settings made here; None takes one out. Mappings are written as JSON. For a lake on S3,
    join the result with ``S3.env()``.
    """
    chosen: dict[str, object] = {
        "kafka__bootstrap_servers": kafka if isinstance(kafka, str) else kafka.bootstrap,
        "lake__uri": str(lake_uri),
        "redact__policy": "off",
        "redact__key": TEST_KEY,
        "metrics__port": 0,
        "stream__flush_seconds": 1,
        **({"kafka__properties": dict(QUICK)} if isinstance(kafka, MockKafka) else {}),
        **more,
    }
    return {
        f"GOLDPAN_{name.upper()}": _text(value)
        for name, value in chosen.items()
        if value is not None
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list):
        return json.dumps(value)
    return str(value)


def environment(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of this process without what would configure goldpan or AWS, plus ``env``."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GOLDPAN_", "AWS_", "PYTEST_"))
    }
    return {**inherited, "PYTHONUNBUFFERED": "1", **env}


def goldpan_command(*args: str) -> list[str]:
    """The command line of goldpan, with the Python that runs the tests."""
    return [sys.executable, "-m", "goldpan", *args]


def run_goldpan(
    env: Mapping[str, str], *args: str, timeout: float = _WAIT_SECONDS
) -> subprocess.CompletedProcess[str]:
    """Run a goldpan command to its end; the exit code is left to the caller."""
    return CapturedProcess(("goldpan", *args), environment(env), Path.cwd()).finish(timeout)


def run_goldpan_anew(
    env: Mapping[str, str], *args: str, timeout: float = _WAIT_SECONDS
) -> subprocess.CompletedProcess[str]:
    """As `run_goldpan`, in a new Python: for what happens while goldpan itself is loaded."""
    return subprocess.run(
        goldpan_command(*args),
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def call_goldpan(env: Mapping[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    """As `run_goldpan`, in this process: a command's libraries take a second or two to load.

    For what a test looks at with goldpan. A command that is itself the test runs as a process.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.dict(os.environ, environment(env), clear=True),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = run_command(args)
    return subprocess.CompletedProcess(args, code, out.getvalue(), err.getvalue())


class Worker:
    """``goldpan stream run`` as a process, started at once, its streams in files of ``folder``.

    ``args`` follow the command, such as ``--until-caught-up``. Signals go to the process itself,
    as from an orchestrator; SIGKILL, SIGSTOP and SIGCONT reach its children too.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        args: Sequence[str] = (),
        *,
        folder: Path,
        name: str = "worker",
        command: Sequence[str] = ("stream", "run"),
    ) -> None:
        self.name = name
        self.out = folder / f"{name}.out"
        self.err = folder / f"{name}.err"
        self._child = ForkedChild(
            ("goldpan", *command, *args), out=self.out, err=self.err, env=environment(env)
        )
        self._child.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs, or is stopped by a signal."""
        return self._child.alive

    @property
    def exit_code(self) -> int | None:
        """The exit code (negative: the signal), or None while it runs."""
        return self._child.exit_code

    def wait(self, timeout: float = _WAIT_SECONDS) -> int:
        """Wait for the end and give the exit code; raises TimeoutError with the end of the log."""
        return self._child.wait(timeout)

    def finish(self, timeout: float = _WAIT_SECONDS) -> None:
        """Wait for the end, and fail with the end of the log unless the exit code is 0."""
        code = self.wait(timeout)
        assert code == 0, f"{self.name} ended with {code}\n{self.tail()}"

    def sigterm(self) -> None:
        """Ask it to drain and end."""
        self._child.send(signal.SIGTERM)

    def sigkill(self) -> None:
        """End it, and its children, without asking; and wait until they are gone."""
        self._child.kill()

    def sigstop(self) -> None:
        """Freeze it and its children."""
        self._child.send_group(signal.SIGSTOP)

    def sigcont(self) -> None:
        """Let it go on."""
        self._child.send_group(signal.SIGCONT)

    def log_text(self) -> str:
        """All that it wrote on stderr."""
        return self.err.read_text(errors="replace") if self.err.exists() else ""

    def out_text(self) -> str:
        """All that it wrote on stdout."""
        return self.out.read_text(errors="replace") if self.out.exists() else ""

    def tail(self, characters: int = 4000) -> str:
        """The end of the log, for a message about a failure."""
        return self._child.tail(characters)

    def logs(self, event: str | None = None, **fields: object) -> list[dict[str, Any]]:
        """The entries of the log, in order; only those with this event and fields if given."""
        wanted = fields if event is None else {"event": event, **fields}
        entries = (_entry(line) for line in self.log_text().splitlines())
        return [e for e in entries if e and all(e.get(k) == v for k, v in wanted.items())]

    def wait_for_log(
        self, event: str, timeout: float = _WAIT_SECONDS, *, count: int = 1, **fields: object
    ) -> dict[str, Any]:
        """Wait until such entries were written ``count`` times, and give the last of these.

        Raises AssertionError with the end of the log if the process ends before, or time is up.
        """
        self.wait_until(
            lambda: len(self.logs(event, **fields)) >= count, timeout, f"logging {event!r}"
        )
        return self.logs(event, **fields)[count - 1]

    def wait_until(
        self, holds: Callable[[], bool], timeout: float = _WAIT_SECONDS, what: str = "there"
    ) -> None:
        """Poll until something holds; raises AssertionError if the process ends, or time is up."""
        asked = time.monotonic()
        deadline = asked + timeout
        while not holds():
            took = time.monotonic() - asked
            ended = self.exit_code
            # Looked at once more after the end: it may have been the last thing that was done.
            if ended is not None and not holds():
                raise AssertionError(f"{self.name} ended ({ended}), never {what}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} not {what} in {timeout} s\n{self.tail()}")
            # To look at a lake on S3 is work, which slows down what is waited for.
            time.sleep(min(max(_POLL_SECONDS, 4 * took), _SLOWEST_POLL_SECONDS))
            asked = time.monotonic()


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
