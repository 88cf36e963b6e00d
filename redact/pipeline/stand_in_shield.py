"""Protects the stand-ins of a first pass while a text is redacted again.

Only placeholders under the current key are recognised by themselves. Every other stand-in (a mask,
a hash, a pseudonym, a placeholder under an older key) is replaced by one for the time of the second
pass, and put back.
"""

import re
from collections.abc import Sequence
from typing import Final

from redact.analysis.segment_parts import TextSegment
from redact.crypto.pseudonyms import PLACEHOLDER, Pseudonyms
from redact.policies.data_types import DATA_TYPES
from redact.rendering.rendered import RenderedReplacement, RenderedSegment, shift_replacement

_LETTERS: Final = "[a-z2-7]{12}"
_OTHERS: Final = re.compile(
    rf"<({'|'.join(DATA_TYPES)})(?::{_LETTERS})?>"
    rf"|(?<![\w-])[A-Za-z0-9_-]{{1,16}}:{_LETTERS}(?![\w>])|#{_LETTERS}(?![\w])"
)
_TOKENS: Final = re.compile(rf"(?<![A-Za-z0-9]){_LETTERS}(?![A-Za-z0-9])")


class StandInShield:
    """Replaces the stand-ins in the texts of one record by placeholders of a key, and back."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = pseudonyms
        self._originals: dict[str, str] = {}

    def cover(self, text: str) -> str:
        """Return a text in which every stand-in is a placeholder under the current key."""
        if "<" not in text and ":" not in text and "#" not in text:
            return text
        return _OTHERS.sub(self._covered, text)

    def covered_segment(self, segment: TextSegment) -> TextSegment:
        """Return a covered segment. The name model reads it only if it has no stand-in.

        Beside a stand-in the model sees names where there are none; it has read the text before.
        """
        text = self.cover(segment.text)
        free = segment.free and not self._pseudonyms.own_placeholders(text)
        return TextSegment(text, free=free)

    def uncover(self, rendered: RenderedSegment) -> RenderedSegment:
        """Return a rendered text with the stand-ins of the first pass put back."""
        if not self._originals or "<" not in rendered.text:
            return rendered
        pieces: list[str] = []
        moved: list[tuple[int, int]] = []  # end of a cover in the text, and the shift from there on
        copied = shift = 0
        for match in PLACEHOLDER.finditer(rendered.text):
            original = self._originals.get(match[0])
            if original is not None:
                pieces += (rendered.text[copied : match.start()], original)
                copied = match.end()
                shift += len(original) - len(match[0])
                moved.append((copied, shift))
        if not moved:
            return rendered
        pieces.append(rendered.text[copied:])
        replaced = tuple(_move(each, moved) for each in rendered.replaced)
        return RenderedSegment("".join(pieces), replaced)

    def names_somebody(self, value: str, texts: Sequence[str]) -> bool:
        """Return whether a value in texts can be one: not if it holds or touches a stand-in.

        What touches one was read as part of it.
        """
        if any(self._pseudonyms.is_token(token) for token in _TOKENS.findall(value)):
            return False
        return not any(f">{value}" in text or f"{value}<" in text for text in texts)

    def _covered(self, match: re.Match[str]) -> str:
        stand_in = match[0]
        kind = match[1]
        if kind and self._pseudonyms.own_placeholders(stand_in):
            return stand_in
        if kind is None and not self._is_own(stand_in):
            return stand_in
        cover = self._pseudonyms.placeholder(
            kind if kind and kind != "FILE" else "SECRET", stand_in
        )
        self._originals[cover] = stand_in
        return cover

    def _is_own(self, stand_in: str) -> bool:
        """Return whether a hash or pseudonym is of the current key."""
        if stand_in[0] == "#":
            return self._pseudonyms.is_token(stand_in[1:])
        return self._pseudonyms.is_identifier(stand_in)


def _move(replacement: RenderedReplacement, moved: list[tuple[int, int]]) -> RenderedReplacement:
    by = max((each for each in moved if each[0] <= replacement.start), default=(0, 0))[1]
    return shift_replacement(replacement, by)
