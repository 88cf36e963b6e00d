"""Keyed marks of what a record teaches about persons, so that another record can learn it.

The spans of one trace arrive in several Kafka records, and each is stored redacted. A name that
only one of them states is unknown in the others. So each row keeps marks of the names and numbers
that its record taught: keyed hashes of their written forms. When the trace is assembled, words of
its texts with the same mark are those names and numbers.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from redact.identities.extraction import is_short_id
from redact.identities.identity import IdentityValue, NameVariant
from redact.identities.name_variants import BIRTH_DATE, list_date_variants, list_variants

MakeMark = Callable[[str], str]
"""Returns the keyed hash of a text, as `redact.crypto.pseudonyms.Pseudonyms.word_mark`."""

_WORD: Final = re.compile(r"[^\W_](?:[\w.@+'\u2019-]*[^\W_])?")
_POSSESSIVE: Final = re.compile(r"['\u2019]s\Z")
_ESCAPE: Final = re.compile(r"(?:\\u[0-9a-fA-F]{4})+")
_MOST_WORDS: Final = 8
_MOST_IDENTITIES: Final = 200
_MOST_KNOWN: Final = 16_384
_LONGEST_KNOWN: Final = 256
_EXACT: Final = "x"


def mark_identities(identities: Iterable[IdentityValue], mark: MakeMark) -> str | None:
    """Return the marks of identities: `TYPE:words:hash`, separated by spaces; None if none.

    An `x` after the number of words says that capitals count. Of very many identities only some
    are marked, always the same.
    """
    some = sorted(identities, key=lambda each: (each.type, each.value))[:_MOST_IDENTITIES]
    marks = {
        entry
        for identity in some
        if not is_short_id(identity)
        for variant in _variants(identity)
        for entry in _entry(identity.type, variant, mark)
    }
    return " ".join(sorted(marks)) or None


def _variants(identity: IdentityValue) -> list[NameVariant]:
    dates = list_date_variants(identity.value) if identity.type == BIRTH_DATE else []
    return [*list_variants(identity), *dates]


def _entry(kind: str, variant: NameVariant, mark: MakeMark) -> Iterator[str]:
    exact = variant.exact is not None
    written = unicodedata.normalize("NFC", " ".join(variant.exact or variant.words))
    words = _WORD.findall(written)
    if 0 < len(words) <= _MOST_WORDS and len("".join(words)) > 1:
        size = f"{len(words)}{_EXACT if exact else ''}"
        yield f"{kind}:{size}:{mark(' '.join(words) if exact else ' '.join(words).lower())}"


class TaughtValues:
    """Finds in texts the values that rows of the same trace have marks of."""

    def __init__(self, mark: MakeMark) -> None:
        self._make = mark
        self._known: dict[str, str] = {}

    def find(self, taught: Iterable[str], texts: Iterable[str]) -> frozenset[IdentityValue]:
        """Return the values in the texts that have one of the marks; unreadable marks are left."""
        types: dict[tuple[str, str], str] = {}
        for entry in sorted({entry for marks in taught for entry in marks.split()}):
            kind, _, rest = entry.partition(":")
            size, _, made = rest.partition(":")
            if made and size.removesuffix(_EXACT).isdecimal():
                types[size, made] = kind
        if not types:
            return frozenset()
        sizes = sorted({size for size, _ in types})
        return frozenset(
            IdentityValue(types[size, made], value)
            for text in texts
            for size, form, value in _candidates(_unescaped(text), sizes)
            if (size, made := self._mark(form)) in types
        )

    def _mark(self, form: str) -> str:
        made = self._known.get(form)
        if made is None:
            made = self._make(form)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            if len(form) <= _LONGEST_KNOWN:
                self._known[form] = made
        return made


def _candidates(text: str, sizes: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each run of words of a text: its size, its form for the mark, and the run itself."""
    found = list(_WORD.finditer(text))
    words = [match[0] for match in found]
    for size in sizes:
        count = int(size.removesuffix(_EXACT))
        for at in range(len(words) - count + 1):
            last = found[at + count - 1]
            tail = _POSSESSIVE.search(last[0])
            end = last.end() if tail is None else last.end() - len(tail[0])
            run = " ".join(words[at : at + count])
            form = run if tail is None else run[: -len(tail[0])]
            yield (
                size,
                form if size.endswith(_EXACT) else form.lower(),
                text[found[at].start() : end],
            )


def _unescaped(text: str) -> str:
    """Return a text with its `\\uXXXX` decoded, and line breaks for other escapes of JSON."""
    text = unicodedata.normalize("NFC", text)
    if "\\" not in text:
        return text
    decoded = _ESCAPE.sub(lambda match: str(json.loads(f'"{match[0]}"')), text)
    return re.sub(r"\\+[nrt\"/bf]?", "\n", decoded)
