"""Versions of goldpan that take turns: each runs in a process of its own and answers requests.

What takes turns meets the same load of the machine, so that its times can be compared.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import click


def python_path(*folders: Path) -> str:
    """Return a PYTHONPATH with these folders before those of this process."""
    inherited = os.environ.get("PYTHONPATH")
    return os.pathsep.join([*map(str, folders), *([inherited] if inherited else [])])


class Version:
    """A process of a script (with its arguments) that calls :func:`serve`.

    It takes each module from the first of the ``folders`` that has it. ``build`` says how redaction
    runs there: `compiled` or `pure`.
    """

    def __init__(self, script: Sequence[str], folders: Sequence[Path], **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", *script],
            env={**os.environ, "PYTHONPATH": python_path(*folders), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.build: str = self.answer()

    def ask(self, *request: Any) -> None:
        """Send a request, of what JSON can hold."""
        assert self._process.stdin is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)

    def answer(self) -> Any:
        """Return the answer to the request that was sent last."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of a version has ended; its error is above")
        return json.loads(line)

    def do(self, *request: Any) -> Any:
        """Send a request, and return the answer."""
        self.ask(*request)
        return self.answer()

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    def __enter__(self) -> "Version":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


def serve(answer: Callable[..., Any]) -> None:
    """Print the build that this process has loaded, then the answer to each line of its input."""
    build = sys.modules.get("redact.build")  # early versions have none
    click.echo(json.dumps("pure" if build is None else build.loaded_build()))
    for line in sys.stdin:
        click.echo(json.dumps(answer(*json.loads(line))))
