"""Commands that are given something wrong, as processes of which many wait side by side."""

import json
import subprocess
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tests.servers.worker import run_goldpan

AT_ONCE = 8
USED_WRONGLY, FAILED = 2, 3


@dataclass(frozen=True)
class Wrong:
    """A command that is given something wrong, and how it must end.

    ``names`` are pieces of the sentence: the setting to look at, or what to do. Everywhere words
    like ``@folder@`` may stand for what is known only when the servers run.
    """

    code: int
    names: tuple[str, ...]
    env: Mapping[str, str]
    args: tuple[str, ...] = ("stream", "run", "--until-caught-up")

    def filled(self, words: Mapping[str, str]) -> "Wrong":
        """Put in what the words stand for."""
        return Wrong(
            self.code,
            tuple(_fill(name, words) for name in self.names),
            {name: _fill(value, words) for name, value in self.env.items()},
            tuple(_fill(arg, words) for arg in self.args),
        )


def _fill(text: str, words: Mapping[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(f"@{word}@", meaning)
    return text


class Refusals:
    """Runs all commands of a list, some at a time, and gives the outcome of each."""

    def __init__(self, wrong: Mapping[str, Wrong], words: Mapping[str, str]) -> None:
        self._wrong = {name: one.filled(words) for name, one in wrong.items()}
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._outcomes: dict[str, Future[subprocess.CompletedProcess[str]]] = {
            name: self._pool.submit(run_goldpan, one.env, *one.args)
            for name, one in self._wrong.items()
        }

    def close(self) -> None:
        """Start none of those that have not begun, and wait for the others."""
        self._pool.shutdown(cancel_futures=True)

    def assert_refused(self, name: str) -> str:
        """The command ended with its exit code and one sentence that names what is wrong."""
        wrong, ended = self._wrong[name], self._outcomes[name].result()
        told = sentence(ended)
        assert ended.returncode == wrong.code, (ended.returncode, told)
        missing = [piece for piece in wrong.names if piece not in told]
        assert not missing, f"{missing} not in: {told}"
        return told


def sentence(ended: subprocess.CompletedProcess[str]) -> str:
    """Return the one line for a person on standard error; all others there are events of the log.

    Raises AssertionError if there is none, or more than one, or anything on standard output.
    """
    said = [line for line in ended.stderr.splitlines() if not _is_event(line)]
    assert len(said) == 1, ended.stderr
    assert said[0].startswith("goldpan: "), said
    assert "unexpected error" not in said[0], said
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.stdout == "", ended.stdout
    return said[0]


def _is_event(line: str) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return isinstance(entry, dict) and "event" in entry
