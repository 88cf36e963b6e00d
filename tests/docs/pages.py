"""The pages as Markdown: their fenced code by language, their prose by sentence."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.architecture.source import ROOT

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ITEM = re.compile(r"\s*(?:[-*]|\d+\.)\s+")
_NO_PROSE = re.compile(r"\s*\||#+ | {4}|\s*$")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`[^`]*`")
_END = re.compile(r"(?<=[.!?])[\"')*]*\s+(?=[A-Z0-9*`\"(])")


class Block(NamedTuple):
    """A piece of fenced code: the page it is on, its language, and its text."""

    page: Path
    language: str
    text: str


def read_page(name: str) -> str:
    """Return the text of a page, named by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def code_blocks(name: str) -> list[Block]:
    """Return the fenced code of a page, in order."""
    return [Block(Path(name), *found) for found in FENCE.findall(read_page(name))]


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a page: paragraphs and list items, without tables and code."""
    text = _COMMENT.sub("", FENCE.sub("\n\n", text))
    for paragraph in _paragraphs(text):
        plain = _LINK.sub(r"\1", _CODE.sub("CODE", paragraph))
        yield from filter(None, _END.split(plain))


def _paragraphs(text: str) -> Iterator[str]:
    lines: list[str] = []
    for line in text.splitlines():
        item = _ITEM.match(line)
        if item or _NO_PROSE.match(line):
            yield " ".join(lines)
            lines = []
        if item:
            lines = [line[item.end() :].strip()]
        elif not _NO_PROSE.match(line) or (lines and line.startswith(" ") and line.strip()):
            lines.append(line.strip())
    yield " ".join(lines)
