"""Privacy as coverage: the share of personal characters that are redacted, as whatever type.

A label is covered if findings of any type hold at least 90 % of its letters and digits. A finding
is right if it touches a label. Both are reported beside spans (`benchmarks.ner_quality`), which
also require the right type and edges. An address found in two parts is covered, but neither part is
its span.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from redact.lexical.findings import PiiFinding

ENOUGH = 0.9
"""The share of letters and digits that must be gone."""

CHATS = Path("tests/data/ner/chats.txt")
_MARK = re.compile(r"<([PLAO]):([^<>]*)>")
_TYPES = {"P": "PERSON", "L": "LOCATION", "A": "STREET_ADDRESS", "O": "ORGANIZATION"}


class Label(NamedTuple):
    """The characters ``start`` up to ``end`` of a text are personal data of a type."""

    type: str
    start: int
    end: int


class Chat(NamedTuple):
    """A text in a language, with the labels of its personal data."""

    language: str
    text: str
    labels: list[Label]


class Share(NamedTuple):
    """How many labels there are and are covered; how many findings there are and touch a label."""

    labels: int = 0
    covered: int = 0
    findings: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        """Return the share of labels that are covered."""
        return self.covered / max(1, self.labels)

    @property
    def precision(self) -> float:
        """Return the share of findings that touch a label."""
        return self.right / max(1, self.findings)

    @property
    def f2(self) -> float:
        """Return their mean in which recall weighs four times as much (F2)."""
        p, r = self.precision, self.recall
        return 5 * p * r / max(1e-9, 4 * p + r)

    def __str__(self) -> str:
        return f"{self.precision:.3f} / {self.recall:.3f} / {self.f2:.3f}"


def chats(path: Path = CHATS) -> list[Chat]:
    """Return the labelled lines of a file of chats; the format is described at its top."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [_chat(*line.split("\t", 1)) for line in lines if line and line[0] != "#"]


def _chat(language: str, marked: str) -> Chat:
    marked = marked.replace("\\n", "\n")
    text, labels, end = "", [], 0
    for mark in _MARK.finditer(marked):
        text += marked[end : mark.start()]
        labels.append(Label(_TYPES[mark[1]], len(text), len(text) + len(mark[2])))
        text += mark[2]
        end = mark.end()
    return Chat(language, text + marked[end:], labels)


def share(
    texts: Sequence[str], labels: Sequence[Sequence[Label]], found: Sequence[Sequence[PiiFinding]]
) -> Share:
    """Return how many labels are covered, and how many findings touch one."""
    many = covered = findings = right = 0
    for text, some, those in zip(texts, labels, found, strict=True):
        gone = {at for f in those for at in range(f.start, f.end)}
        many += len(some)
        covered += sum(_covered(text, label, gone) for label in some)
        findings += len(those)
        right += sum(any(f.start < o.end and o.start < f.end for o in some) for f in those)
    return Share(many, covered, findings, right)


def _covered(text: str, label: Label, gone: set[int]) -> bool:
    letters = [at for at in range(label.start, label.end) if text[at].isalnum()]
    return sum(at in gone for at in letters) >= ENOUGH * len(letters)


def of_type(labels: Iterable[Sequence[Label]], type_: str) -> list[list[Label]]:
    """Return only the labels of a type."""
    return [[label for label in some if label.type == type_] for some in labels]
