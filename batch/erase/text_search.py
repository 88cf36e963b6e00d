"""Searches rows and texts for ids, pseudonyms, addresses and telephone numbers.

It searches for two kinds of text. Pseudonyms and placeholders are unlike any other text, and match
anywhere. Raw ids match where no letter or digit adjoins them: ``u-10`` does not match in ``u-101``.
An id matches however it is escaped (`batch.erase.escapes`), an e-mail address in any case, a
telephone number in any grouping.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.escapes import ESCAPE_HINT, fold_text, unescape_levels

MIN_WORD_LENGTH: Final = 6
"""Shorter ids may be ordinary words: they are searched for in id columns only."""

RowFlags = npt.NDArray[np.bool_]
RowIndexes = npt.NDArray[np.int64]
_TEXTS_PER_PATTERN: Final = 200  # more in one expression would make it slow
_MAX_CHARACTERS: Final = 2**22  # of unescaped texts in memory at once
_BYTES_TO_JOIN: Final = 2**20
"""Larger arrays are searched as they are."""
_EDGE: Final = "[^A-Za-z0-9]"
_PHONE_SEPARATORS: Final = r"[\s()+.\-/\x{a0}]{0,3}"
"""Matches what may separate the digits of a telephone number."""
_AT: Final = r"(?:@|\s{0,2}[\[({]\s?at\s?[\])}]\s{0,2}|\s{1,2}at\s{1,2})"
_DOT: Final = r"(?:\.|\s{0,2}[\[({]\s?dot\s?[\])}]\s{0,2}|\s{1,2}dot\s{1,2})"


@dataclass(frozen=True, slots=True)
class TextSearch:
    """Compiled expressions; empty if there is nothing to search for.

    ``raw_patterns`` apply to texts as written, ``unescaped_patterns`` to their unescaped readings.
    """

    raw_patterns: tuple[str, ...]
    unescaped_patterns: tuple[str, ...]

    @classmethod
    def of(
        cls,
        anywhere: Collection[str],
        ids: Collection[str],
        phones: Collection[str] = (),
        quoted_ids: Collection[str] = (),
    ) -> "TextSearch":
        """Compile texts that match anywhere, ids, and the digits of telephone numbers.

        ``quoted_ids`` match only in quotes or as a value in a URL.
        """
        fixed = {
            *map(re.escape, anywhere),
            *map(_phone_pattern, phones),
            *map(_quoted_pattern, quoted_ids),
        }
        raw = {form for text in ids for form in _unicode_forms(text)}
        # The unescaped form of an id counts only where the text, too, contains escapes.
        unescaped = raw.union(*map(unescape_levels, ids))
        return cls(
            _alternations(fixed.union(map(_id_pattern, raw))),
            _alternations(fixed.union(map(_id_pattern, unescaped))),
        )

    @classmethod
    def for_binary(
        cls, texts: Collection[str], emails: Collection[str], phones: Collection[str]
    ) -> "TextSearch":
        """Compile texts and addresses that match anywhere, escaped or not."""
        forms = {form for text in texts for form in _unicode_forms(text)}
        patterns = _alternations(
            {
                *map(re.escape, forms),
                *map(_email_pattern, emails),
                *map(_phone_pattern, phones),
            }
        )
        return cls(patterns, patterns)

    def match_rows(self, rows: pa.Table, columns: Sequence[str]) -> RowFlags:
        """Return for each row whether one of these columns contains one of the texts."""
        flags = np.zeros(len(rows), np.bool_)
        for texts in _join_small(_column_texts(rows, columns)):
            flags[texts.rows[self._match_strings(texts.array)]] = True
        return flags

    def match_texts(self, texts: Sequence[str]) -> RowFlags:
        """Return for each text whether it contains one of the texts searched for."""
        return self._match_strings(pa.array(texts, pa.large_string()))

    def matches(self, text: str) -> bool:
        """Return whether a text contains one of the texts searched for."""
        return bool(self.match_texts([text])[0])

    def _match_strings(self, array: Any) -> RowFlags:
        flags = _match_patterns(array, self.raw_patterns)
        if not self.unescaped_patterns or array.null_count == len(array):
            return flags
        candidates = np.flatnonzero(_match_patterns(array, [ESCAPE_HINT]) & ~flags)
        for indices, readings in _unescape(array, candidates):
            flags[indices[_match_patterns(readings, self.unescaped_patterns)]] = True
        return flags


class _Texts(NamedTuple):
    """Texts of some rows: an array of texts, and the row that each is part of."""

    array: Any
    rows: RowIndexes


def _column_texts(table: pa.Table, columns: Sequence[str]) -> Iterator[_Texts]:
    """Yield all texts in columns, at any depth."""
    for column in columns:
        start = 0
        for chunk in table[column].chunks:
            yield from _texts(chunk, np.arange(start, start + len(chunk)))
            start += len(chunk)


def _texts(array: Any, rows: RowIndexes) -> Iterator[_Texts]:
    """Yield the texts in an array, given the row that each of its values is part of."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        if array.null_count < len(array):
            yield _Texts(array, rows)
    elif pa.types.is_struct(kind):
        for child in array.flatten():
            yield from _texts(child, rows)
    elif pa.types.is_map(kind) or pa.types.is_list(kind):
        offsets = np.asarray(array.offsets)
        element_rows = np.repeat(rows, np.diff(offsets))
        for child in (array.keys, array.items) if pa.types.is_map(kind) else (array.values,):
            yield from _texts(child[offsets[0] : offsets[-1]], element_rows)


def _join_small(parts: Iterable[_Texts]) -> Iterator[_Texts]:
    """Join small arrays: pyarrow compiles an expression anew for each array."""
    small: list[_Texts] = []
    size = 0
    for texts in parts:
        if texts.array.nbytes > _BYTES_TO_JOIN:
            yield texts
            continue
        small.append(texts)
        size += texts.array.nbytes
        if size > _BYTES_TO_JOIN:
            yield _joined(small)
            small, size = [], 0
    if small:
        yield _joined(small)


def _joined(parts: Sequence[_Texts]) -> _Texts:
    arrays = [texts.array.cast(pa.large_string()) for texts in parts]
    return _Texts(pa.concat_arrays(arrays), np.concatenate([texts.rows for texts in parts]))


def _unescape(array: Any, indices: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the readings of some texts of an array, each with the index of its text, in parts."""
    sources: list[int] = []
    readings: list[str] = []
    size = 0
    for index in indices.tolist():
        levels = unescape_levels(array[index].as_py())
        sources += [index] * len(levels)
        readings += levels
        size += sum(map(len, levels))
        if size > _MAX_CHARACTERS:
            yield np.array(sources, np.int64), pa.array(readings, pa.large_string())
            sources, readings, size = [], [], 0
    if readings:
        yield np.array(sources, np.int64), pa.array(readings, pa.large_string())


def matching_texts(array: Any, pattern: str) -> Iterator[str]:
    """Yield the texts in a column, at any depth, that match an expression."""
    if isinstance(array, pa.ChunkedArray):
        for chunk in array.chunks:
            yield from matching_texts(chunk, pattern)
    elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        yield from array.filter(pa.array(_match_patterns(array, [pattern]))).to_pylist()
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from matching_texts(child, pattern)
    elif pa.types.is_map(array.type):
        yield from matching_texts(array.keys, pattern)
        yield from matching_texts(array.items, pattern)
    elif pa.types.is_list(array.type):
        yield from matching_texts(array.flatten(), pattern)


def _match_patterns(array: Any, patterns: Iterable[str]) -> RowFlags:
    flags = np.zeros(len(array), np.bool_)
    if array.null_count < len(array):
        for pattern in patterns:
            hits = pc.fill_null(pc.match_substring_regex(array, pattern), fill_value=False)
            flags |= np.asarray(hits)
    return flags


def _id_pattern(form: str) -> str:
    """Return the expression for a form of an id, which no letter or digit adjoins."""
    return _bounded(_email_pattern(form) if is_email(form) else _escape_pattern(form))


def _alternations(patterns: Collection[str]) -> tuple[str, ...]:
    ordered = sorted(patterns)
    return tuple(
        "(?:" + "|".join(ordered[start : start + _TEXTS_PER_PATTERN]) + ")"
        for start in range(0, len(ordered), _TEXTS_PER_PATTERN)
    )


def is_email(text: str) -> bool:
    """Return whether an id is an e-mail address, which is compared without case."""
    name, at, host = text.rpartition("@")
    return bool(name and at and "." in host) and not any(c.isspace() for c in text)


def _unicode_forms(text: str) -> set[str]:
    return {
        text,
        fold_text(text),
        unicodedata.normalize("NFC", text),
        unicodedata.normalize("NFD", text),
    }


def _escape_pattern(text: str) -> str:
    """Return an expression for a text; its spaces also match a plus (forms) and a wide space."""
    return re.escape(text).replace("\\ ", r"[ +\x{a0}]")


def _email_pattern(text: str) -> str:
    name, _, host = text.rpartition("@")
    address = _escape_pattern(name) + _AT + _DOT.join(map(re.escape, host.split(".")))
    return f"(?i:{address})"


def _bounded(pattern: str) -> str:
    """Return the expression for an id that no letter or digit adjoins."""
    return f"(?:^|{_EDGE}){pattern}(?:$|{_EDGE})"


def _phone_pattern(digits: str) -> str:
    """Return the expression for a telephone number that no digit adjoins."""
    return f"(?:^|[^0-9]){_PHONE_SEPARATORS.join(digits)}(?:$|[^0-9])"


def _quoted_pattern(text: str) -> str:
    """Return an expression for a short id: in quotes, as a URL value, or as ``user_id``."""
    form = re.escape(text)
    quoted = f"\"{form}\"|'{form}'|[?&][A-Za-z_.-]{{1,40}}={form}(?:$|[&\\s\"'#])"
    return f'{quoted}|"user_id"\\s{{0,9}}:\\s{{0,9}}{form}(?:$|[,}}\\s])'
