"""Removes answers that name an erased person from kept runs.

The person's own rows need no step here: a release that loses a row loses its salt, and with it the
key of the row's answers. What is left are answers to rows of others that name the person, though
the row itself does not. They are opened with the salts that are there, searched, and removed.
Checksums of a run leave answers out, so it still verifies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from batch.gate.kept_answers import decode_answers
from batch.gate.run_store import GateRunStore, answers_path
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.format.rows import SALT
from batch.release.publish.repository import ReleaseRepository


class ErasedAnswers(NamedTuple):
    """A kept run, and how many of its answers name a person."""

    run: str
    answers: int


@dataclass(frozen=True, slots=True)
class AnswerEraser:
    """Finds and removes answers in kept runs; call it when the releases have lost their rows."""

    store: GateRunStore
    releases: ReleaseRepository

    def find(self, names: Callable[[bytes], bool]) -> list[ErasedAnswers]:
        """Return the runs with answers of which ``names`` is true; nothing is changed.

        Raises FatalError if answers cannot be read: nobody can say whom they name.
        """
        return self._each(names, change=False)

    def erase(self, names: Callable[[bytes], bool]) -> list[ErasedAnswers]:
        """Remove these answers, and older versions of their files; return what was removed."""
        removed = self._each(names, change=True)
        self.store.purge_answers()
        return removed

    def _each(self, names: Callable[[bytes], bool], *, change: bool) -> list[ErasedAnswers]:
        runs = self.store.list_runs()
        salts = self._salts() if runs else []
        found = []
        for run in runs:
            count = 0
            while (data := self.store.answers(run.name)) is not None:
                sealed = decode_answers(data, run.digest, answers_path(run.name))
                left, count = sealed.without(salts, names)
                if not count or not change or self.store.swap_answers(run.name, data, left):
                    break
            if count:
                found.append(ErasedAnswers(run.name, count))
        return found

    def _salts(self) -> list[str]:
        """Return the salts of all rows of published versions."""
        return sorted(
            {
                salt
                for name in self.releases.names()
                for version in self.releases.versions(name)
                if version.published
                for salt in _salts_of(self.releases.read(version, DATA))
            }
        )


def _salts_of(data: bytes) -> list[str]:
    salts: list[str] = read_release_rows(data).column(SALT).to_pylist()
    return salts
