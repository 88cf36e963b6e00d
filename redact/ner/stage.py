"""The detector that runs a name model: the shipped one, or any spaCy model by name.

The model is loaded on construction, and only its named-entity component runs. All texts of a call
are passed to the model together, in blocks; its caches of words are bounded, so that memory stays
flat however many texts there are.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from redact.lexical.findings import PiiFinding, TextTimeoutError
from redact.ner.chunks import cut_chunks
from redact.ner.labels import LABEL_TYPES
from redact.ner.model_files import load_reader
from redact.ner.model_format import SHIPPED
from redact.ner.reader import NamedSpan
from schemas.chunks import in_chunks
from schemas.errors import GoldpanError

PERSON = "PERSON"
SCORE = 0.85
"""The score of every finding, as in Presidio: the model itself gives none."""

CHUNK_CHARACTERS = 5_000
BLOCK = 256
"""Pieces of text that are read together."""

_LONG_BLOCK = 8
"""Pieces of one long text between two checks of the clock."""


# Half a character, which JSON allows and spaCy refuses.
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_STRETCH = re.compile(r"[^\s,;:](?:.*[^\s,;:])?", re.DOTALL)
_BETWEEN = re.compile(r"(?:(?<=\b\w)\.|(?<=\b\w\.))?[ \u00a0-]?")
"""The gap between two names of one person: a space, or an initial's full stop."""
_POSSESSIVE = re.compile(r"(?<=\w)['\u2019]s\Z")


class NerError(GoldpanError):
    """The model failed on text ``index`` of a call. Contains nothing of the text."""

    def __init__(self, index: int, cause: str) -> None:
        super().__init__(f"Finding names failed in text {index} of the call ({cause}).")
        self.index = index


class _Piece(NamedTuple):
    """A piece of text number ``owner``, which starts at character ``start`` there."""

    owner: int
    start: int
    text: str


class NerStage:
    """A stage of names (:class:`redact.lexical.findings.NamesStage`) that runs a model.

    ``model`` is ``shipped``, the folder of a model, or the name of an installed one, such as
    ``en_core_web_lg``. ``labels`` maps each label of the model to a type; other labels are not
    findings. ``chunk_characters`` is the longest piece that the model reads. ``seconds`` is the
    time limit for a text of several pieces, measured with ``clock``; it is exceeded by at most a
    few pieces.

    ``identity`` distinguishes models and their versions.

    Raises:
        UsageError: there is no such model, or it finds no names.
    """

    def __init__(
        self,
        model: str = SHIPPED,
        *,
        labels: Mapping[str, str] = LABEL_TYPES,
        chunk_characters: int = CHUNK_CHARACTERS,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self.identity = load_reader(model)
        self._labels = labels
        self._chunk = chunk_characters
        self._seconds = seconds
        self._clock = clock

    def find(self, texts: Sequence[str]) -> list[list[PiiFinding]]:
        """Return the names in each text, in the order of ``texts`` and of position.

        Offsets count Unicode characters of the text, as Python does. Findings do not overlap.

        Raises:
            NamesError: the model failed on one of the texts.
            TextTimeoutError: one of them exceeded its time limit.
        """
        found: list[list[PiiFinding]] = [[] for _ in texts]
        short: list[_Piece] = []
        for owner, text in enumerate(texts):
            whole = _LONE_SURROGATE.sub("\ufffd", text)
            pieces = (
                _Piece(owner, c.start, whole[c.start : c.end])
                for c in cut_chunks(whole, self._chunk)
            )
            first = list(islice(pieces, 2))
            if len(first) < 2:
                short += first
            else:
                found[owner] = self._long([*first, *pieces])
        for block in in_chunks(short, BLOCK):
            for piece, findings in zip(block, self._block(block), strict=True):
                found[piece.owner] = findings
        return found

    def _long(self, pieces: Sequence[_Piece]) -> list[PiiFinding]:
        """Return the names in a text of several pieces, unless its time limit is exceeded."""
        end = None if self._seconds is None else self._clock() + self._seconds
        found: list[PiiFinding] = []
        for block in in_chunks(pieces, _LONG_BLOCK):
            if end is not None and self._clock() > end:
                raise TextTimeoutError
            for findings in self._block(block):
                found += findings
        return found

    def _block(self, block: Sequence[_Piece]) -> list[list[PiiFinding]]:
        try:
            return self._run(block)
        except Exception as error:  # noqa: BLE001  # a model may raise anything
            failure = type(error).__name__
        # Outside of the handler, so that the error, which may quote a text, is not chained.
        raise NerError(self._culprit(block), failure)

    def _run(self, block: Sequence[_Piece]) -> list[list[PiiFinding]]:
        named = self._reader.names([piece.text for piece in block])
        return [self._findings(piece, names) for piece, names in zip(block, named, strict=True)]

    def _culprit(self, block: Sequence[_Piece]) -> int:
        """Return the text that fails alone; the first of the block if none does."""
        for piece in block:
            try:
                self._run([piece])
            except Exception:  # noqa: BLE001
                return piece.owner
        return block[0].owner

    def _findings(self, piece: _Piece, names: Sequence[NamedSpan]) -> list[PiiFinding]:
        found = []
        for one in _whole(piece.text, names):
            type_, edges = self._labels.get(one.label), _edges(piece.text, one)
            if type_ and edges:
                start, end = edges
                found.append(PiiFinding(type_, piece.start + start, piece.start + end, SCORE))
        return found


def _whole(text: str, names: Sequence[NamedSpan]) -> list[NamedSpan]:
    """Return the names with those of one person joined: `Ada` and `Lovelace`, `J.` and `Doe`."""
    whole: list[NamedSpan] = []
    for name in names:
        before = whole[-1] if whole else None
        if (
            before is not None
            and before.label == name.label == PERSON
            and _BETWEEN.fullmatch(text, before.end, name.start)
        ):
            whole[-1] = NamedSpan(name.label, before.start, name.end)
        else:
            whole.append(name)
    return whole


def _edges(text: str, name: NamedSpan) -> tuple[int, int] | None:
    """Return start and end without signs at the edges; None if the name has no letter."""
    stretch = _STRETCH.search(text, name.start, name.end)
    if stretch is None:
        return None
    start, end = stretch.span()
    ending = _POSSESSIVE.search(text, start, end)
    if ending is not None:
        end = ending.start()
    return (start, end) if any(map(str.isalnum, text[start:end])) else None
