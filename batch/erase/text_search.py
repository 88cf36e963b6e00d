"""Which rows of a table hold one of some texts, anywhere in their columns.

Two kinds of text are looked for. Pseudonyms and placeholders are unlike anything else, and are
found wherever they stand. Raw ids are found where no letter or digit touches them: ``u-10`` is not
found in ``u-101``. An id is found however it is escaped (`batch.erase.escapes`); an e-mail address
in any capitals, a telephone number in any groups.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batch.erase.escapes import ESCAPE_HINT, fold_text, unescape_levels

MIN_WORD_LENGTH: Final = 6
"""Ids that are shorter may be ordinary words: they are looked for in columns of ids only."""

RowFlags = npt.NDArray[np.bool_]
_TOGETHER: Final = 200  # texts in one expression: more would make it slow
_AT_ONCE: Final = 2**22  # characters of read texts that are in memory at once
_EDGE: Final = "[^A-Za-z0-9]"
_BETWEEN: Final = r"[\s()+.\-/\x{a0}]{0,3}"
"""What stands between the digits of a telephone number."""
_AT: Final = r"(?:@|\s{0,2}[\[({]\s?at\s?[\])}]\s{0,2}|\s{1,2}at\s{1,2})"
_DOT: Final = r"(?:\.|\s{0,2}[\[({]\s?dot\s?[\])}]\s{0,2}|\s{1,2}dot\s{1,2})"


@dataclass(frozen=True, slots=True)
class TextSearch:
    """Compiled expressions; empty if there is nothing to look for.

    ``plain`` are tried on texts as they stand, ``read`` on what they read as.
    """

    plain: tuple[str, ...]
    read: tuple[str, ...]

    @classmethod
    def of(
        cls,
        anywhere: Collection[str],
        words: Collection[str],
        phones: Collection[str] = (),
        between: Collection[str] = (),
    ) -> "TextSearch":
        """Take texts that are found wherever they stand, ids, and digits of telephone numbers.

        ``between`` are ids that count only in quotes, or as a value in an URL.
        """
        numbers = [_digits(one) for one in phones]
        quoted = [_value(one) for one in between]
        own = [*_any_of(map(re.escape, anywhere), "{}"), *_any_of(numbers, _dialled("{}"))]
        own += _any_of(quoted, "{}")
        plain = {word: _forms(word) for word in words}
        # What an id itself reads as counts only where something in the text was escaped too.
        read = {word: forms.union(unescape_levels(word)) for word, forms in plain.items()}
        return cls((*own, *_of_words(plain)), (*own, *_of_words(read)))

    @classmethod
    def inside(
        cls, texts: Collection[str], mails: Collection[str], phones: Collection[str]
    ) -> "TextSearch":
        """Take texts and addresses that are found wherever they stand, escaped or not."""
        forms = {form for text in texts for form in _forms(text)}
        found = (
            *_any_of(map(re.escape, forms)),
            *_any_of(map(_mail, mails), "(?i:{})"),
            *_any_of(map(_digits, phones), _dialled("{}")),
        )
        return cls(found, found)

    def in_rows(self, rows: pa.Table, columns: Sequence[str]) -> RowFlags:
        """Return for each row whether one of these columns holds one of the texts."""
        found = np.zeros(len(rows), np.bool_)
        for column in columns:
            start = 0
            for chunk in rows[column].chunks:
                found[start : start + len(chunk)] |= self._in(chunk)
                start += len(chunk)
        return found

    def in_texts(self, texts: Sequence[str]) -> RowFlags:
        """Return for each of some texts whether it holds one."""
        return self._in_texts(pa.array(texts, pa.large_string()))

    def stand_in(self, text: str) -> bool:
        """Tell whether a text holds one."""
        return bool(self.in_texts([text])[0])

    def _in(self, array: Any) -> RowFlags:
        kind = array.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return self._in_texts(array)
        if pa.types.is_struct(kind):
            found = np.zeros(len(array), np.bool_)
            for child in array.flatten():
                found |= self._in(child)
            return found
        if pa.types.is_map(kind):
            return _by_row(array, self._in(array.keys) | self._in(array.items))
        if pa.types.is_list(kind):
            return _by_row(array, self._in(array.values))
        return np.zeros(len(array), np.bool_)

    def _in_texts(self, array: Any) -> RowFlags:
        found = _matched(array, self.plain)
        if not self.read or array.null_count == len(array):
            return found
        left = np.flatnonzero(_matched(array, [ESCAPE_HINT]) & ~found)
        for numbers, read in _readings(array, left):
            found[numbers[_matched(read, self.read)]] = True
        return found


def _readings(array: Any, numbers: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what some texts of an array read as, with the number of the text of each, in parts."""
    of: list[int] = []
    read: list[str] = []
    size = 0
    for number in numbers.tolist():
        some = unescape_levels(array[number].as_py())
        of += [number] * len(some)
        read += some
        size += sum(map(len, some))
        if size > _AT_ONCE:
            yield np.array(of, np.int64), pa.array(read, pa.large_string())
            of, read, size = [], [], 0
    if read:
        yield np.array(of, np.int64), pa.array(read, pa.large_string())


def matching_texts(array: Any, likely: str) -> Iterator[str]:
    """Yield the texts that a column is made of in which an expression is found."""
    if isinstance(array, pa.ChunkedArray):
        for chunk in array.chunks:
            yield from matching_texts(chunk, likely)
    elif pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        yield from array.filter(pa.array(_matched(array, [likely]))).to_pylist()
    elif pa.types.is_struct(array.type):
        for child in array.flatten():
            yield from matching_texts(child, likely)
    elif pa.types.is_map(array.type):
        yield from matching_texts(array.keys, likely)
        yield from matching_texts(array.items, likely)
    elif pa.types.is_list(array.type):
        yield from matching_texts(array.flatten(), likely)


def _matched(array: Any, expressions: Iterable[str]) -> RowFlags:
    found = np.zeros(len(array), np.bool_)
    if array.null_count < len(array):
        for expression in expressions:
            hits = pc.fill_null(pc.match_substring_regex(array, expression), fill_value=False)
            found |= np.asarray(hits)
    return found


def _of_words(forms: dict[str, set[str]]) -> Iterator[str]:
    """Yield expressions for ids, by their forms."""
    every = [form for some in forms.values() for form in some]
    yield from _any_of(_whole(_escaped(form)) for form in every if not is_email(form))
    yield from _any_of((_whole(_mail(form)) for form in every if is_email(form)), "(?i:{})")


def _any_of(patterns: Iterable[str], frame: str = "{}") -> Iterator[str]:
    listed = sorted(set(patterns))
    for start in range(0, len(listed), _TOGETHER):
        some = listed[start : start + _TOGETHER]
        yield frame.format("(?:" + "|".join(some) + ")")


def is_email(text: str) -> bool:
    """Tell whether an id is an e-mail address, whose capitals mean nothing."""
    name, at, host = text.rpartition("@")
    return bool(name and at and "." in host) and not any(c.isspace() for c in text)


def _forms(text: str) -> set[str]:
    """Return a text in the forms that Unicode has of it."""
    return {
        text,
        fold_text(text),
        unicodedata.normalize("NFC", text),
        unicodedata.normalize("NFD", text),
    }


def _escaped(text: str) -> str:
    """Return an expression for a text; a space may be the plus of a form or one that is wide."""
    return re.escape(text).replace("\\ ", r"[ +\x{a0}]")


def _mail(text: str) -> str:
    name, _, host = text.rpartition("@")
    return _escaped(name) + _AT + _DOT.join(map(re.escape, host.split(".")))


def _whole(form: str) -> str:
    """Return an expression for an id (an expression) that no letter or digit touches."""
    return f"(?:^|{_EDGE}){form}(?:$|{_EDGE})"


def _dialled(pattern: str) -> str:
    return f"(?:^|[^0-9]){pattern}(?:$|[^0-9])"


def _digits(number: str) -> str:
    return _BETWEEN.join(number)


def _value(text: str) -> str:
    """Return an expression for a short id: in quotes, as a value in an URL, or of ``user_id``."""
    form = re.escape(text)
    quoted = f"\"{form}\"|'{form}'|[?&][A-Za-z_.-]{{1,40}}={form}(?:$|[&\\s\"'#])"
    return f'{quoted}|"user_id"\\s{{0,9}}:\\s{{0,9}}{form}(?:$|[,}}\\s])'


def _by_row(lists: Any, inner: RowFlags) -> RowFlags:
    """Return for each list whether one of its elements is flagged."""
    counts = np.concatenate([[0], np.cumsum(inner)])
    at = np.asarray(lists.offsets)
    found: RowFlags = counts[at[1:]] > counts[at[:-1]]
    return found
