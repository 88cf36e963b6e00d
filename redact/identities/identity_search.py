"""Searches a record's texts for its identities: in any case, possessive, and disguised."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import count

from mypy_extensions import mypyc_attr

from redact.identities.extraction import is_short_id, join_persons
from redact.identities.identity import IdentityValue, NameVariant
from redact.identities.name_variants import BIRTH_DATE, list_date_variants, list_variants
from redact.lexical.findings import PiiFinding
from redact.lexical.normalisation import map_to_original, normalise
from redact.lexical.scripts import are_joined

_SCORE = 0.95
_SERIALS = count(1)
_BETWEEN = frozenset(" \t\n\r\u00a0,_.+-")
_MOST_BETWEEN = 3
_INITIAL = 2
"""Length of an initial with its full stop."""


@mypyc_attr(acyclic=True)
class SearchableText:
    """A text prepared for searching: raw, and normalised if that differs."""

    __slots__ = ("_lowered", "_normal", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._lowered = _folded(text)
        normal = normalise(text)
        self._normal = None if normal is None else (normal, _folded(normal.text))

    def hints(self, cues: Iterable[str]) -> list[str]:
        """Return which of some words occur in the text."""
        lowered = self._lowered
        hints = [cue for cue in cues if cue in lowered]
        if self._normal is not None:
            lowered = self._normal[1]
            hints += [cue for cue in cues if cue in lowered]
        return hints

    def search(self, finder: "IdentityFinder") -> list[PiiFinding]:
        """Return the occurrences of an identity in the text, including disguised ones."""
        findings = finder.search(self.text, self._lowered)
        if self._normal is not None:
            normal, lowered = self._normal
            findings += map_to_original(normal, finder.search(normal.text, lowered))
        return findings


@mypyc_attr(acyclic=True)
class _Variants:
    """The variants of a value by their first words, and what tells quickly that one may occur.

    It is never changed, so that threads can share it.
    """

    __slots__ = ("by_word", "cues", "seconds")

    def __init__(self, variants: Iterable[NameVariant]) -> None:
        self.by_word: dict[str, list[NameVariant]] = {}
        self.seconds: dict[str, frozenset[str]] = {}
        marks: set[str] = set()
        for variant in variants:
            if variant.words:
                self.by_word.setdefault(variant.words[0], []).append(variant)
        for word, of_word in self.by_word.items():
            of_word.sort(key=lambda variant: -sum(map(len, variant.words)))
            # The longest word of each: `Lovelace` is rarer than the `a` of `A Lovelace`.
            marks.update([max(variant.words, key=len) for variant in of_word])
            if len(word) <= _INITIAL and all(len(variant.words) > 1 for variant in of_word):
                self.seconds[word] = frozenset([variant.words[1] for variant in of_word])
        self.cues = tuple(marks)


@mypyc_attr(acyclic=True)
class IdentityFinder:
    """Searches texts for one identity; threads share it.

    Nothing is compiled, because each record may have values of its own: a variant is searched for
    by its first word, and compared further only where that occurs. ``serial`` identifies a finder.
    """

    def __init__(self, learnt: IdentityValue) -> None:
        self.learnt = learnt
        self.serial = next(_SERIALS)
        self._variants = _Variants(list_variants(learnt))
        self._unspelt = learnt.value if learnt.type == BIRTH_DATE else ""

    @property
    def cues(self) -> Sequence[str]:
        """Return words such that at least one occurs wherever the value does."""
        unspelt = self._unspelt  # before the variants, see `_variants_for`
        cues = self._variants.cues
        return (*cues, unspelt[:4]) if unspelt else cues

    def search(self, text: str, lowered: str) -> list[PiiFinding]:
        """Return the occurrences; ``lowered`` is the text in lower case, of the same length."""
        variants = self._variants_for(text)
        findings: list[PiiFinding] = []
        for word, of_word in variants.by_word.items():
            if word not in lowered:
                continue
            seconds = variants.seconds.get(word)
            positions = (
                _positions_of_initial(lowered, word, seconds)
                if seconds
                else _positions(lowered, word)
            )
            for at in positions:
                if at == 0 or not are_joined(text[at - 1], text[at]):
                    end = _longest_match(text, lowered, at, of_word)
                    if end:
                        findings.append(
                            PiiFinding(self.learnt.type, at, end, _SCORE, self.learnt.value)
                        )
        return findings

    def _variants_for(self, text: str) -> _Variants:
        """Return the variants to search for; those of a date are listed when its year occurs."""
        unspelt = self._unspelt
        if unspelt and _year_ends(text, unspelt[:4]):
            # In this order: a thread that finds nothing left to list finds the new variants too.
            self._variants = _Variants([*list_variants(self.learnt), *list_date_variants(unspelt)])
            self._unspelt = ""
        return self._variants


@mypyc_attr(acyclic=True)
class ShortIdFinder(IdentityFinder):
    """Searches texts for a user id of few characters, which may also be a number or a word.

    It counts as a whole text, and as a JSON string: one character or a number of up to three digits
    only under a key that names a user.
    """

    def __init__(self, learnt: IdentityValue) -> None:
        super().__init__(learnt)
        self._id = learnt.value.lower()
        self._in_json = re.compile(
            rf'(?:"([^"\\]{{1,120}})\\*"[ ]?:[ ]?)?\\*"({re.escape(self._id)})\\*"(?![ ]?:)'
        )
        shortest = _SHORTEST_NUMBER if self._id.isdecimal() else _SHORTEST_WORD
        self._any_key = len(self._id) >= shortest

    @property
    def cues(self) -> list[str]:
        """Return the id itself."""
        return [self._id]

    def search(self, text: str, lowered: str) -> list[PiiFinding]:
        """Return the occurrences as whole values."""
        del text
        if lowered == self._id:
            return [self._found(0, len(lowered))]
        return [
            self._found(*match.span(2))
            for match in self._in_json.finditer(lowered)
            if self._any_key or (match[1] and _OF_USER.search(match[1]))
        ]

    def _found(self, start: int, end: int) -> PiiFinding:
        return PiiFinding(self.learnt.type, start, end, _SCORE, self.learnt.value)


_SHORTEST_WORD = 2
_SHORTEST_NUMBER = 4
"""Shortest user ids that count under any key: of letters, of digits."""

_OF_USER = re.compile(
    r"user|customer|member|account|client|person|owner|actor|author|subject|patient|employee"
    r"|\buid|principal"
)


def _build_finder(learnt: IdentityValue) -> IdentityFinder:
    return ShortIdFinder(learnt) if is_short_id(learnt) else IdentityFinder(learnt)


@mypyc_attr(acyclic=True)
class RecordIdentities:
    """All identities of one record: ``finders``, always in the same order.

    ``serial`` distinguishes them from those of other records. ``absent`` is an empty result for
    every finder, for a text without any of them.
    """

    def __init__(self, learnt: frozenset[IdentityValue]) -> None:
        self.serial = next(_SERIALS)
        self.finders = tuple(sorted(map(_finder, join_persons(learnt)), key=_by_serial))
        self.absent: dict[int, tuple[PiiFinding, ...]] = {
            finder.serial: () for finder in self.finders
        }
        self._cues: dict[str, list[IdentityFinder]] = {}
        for finder in self.finders:
            for cue in finder.cues:
                self._cues.setdefault(cue, []).append(finder)

    def occurrences(self, searchable: SearchableText) -> dict[int, tuple[PiiFinding, ...]]:
        """Return the findings in a text, by serial, of the finders that find something."""
        hints = searchable.hints(self._cues)
        if not hints:
            return {}
        likely = {finder.serial: finder for hint in hints for finder in self._cues[hint]}
        found_by_serial = (
            (serial, tuple(searchable.search(finder))) for serial, finder in likely.items()
        )
        return {serial: findings for serial, findings in found_by_serial if findings}


def _by_serial(finder: IdentityFinder) -> int:
    return finder.serial


# About the identities in some minutes of conversations: together they take about 12 MB, and fill
# within some 12,000 records.
_finder = lru_cache(maxsize=4_096)(_build_finder)
identities_of = lru_cache(maxsize=1_024)(RecordIdentities)
"""Return the finders of a record's identities; cached."""


def find_identities(text: str, finders: Sequence[IdentityFinder]) -> list[PiiFinding]:
    """Return the occurrences of any of some identities in a text."""
    if not finders:
        return []
    searchable = SearchableText(text)
    return [finding for finder in finders for finding in searchable.search(finder)]


def _folded(text: str) -> str:
    """Return a text in lower case, character by character, so that its length stays the same."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(c if len(c.lower()) != 1 else c.lower() for c in text)


def _year_ends(text: str, year: str) -> bool:
    """Return whether a year occurs in a text without a dash after it."""
    at = text.find(year)
    while at != -1:
        if text[at + 4 : at + 5] != "-":
            return True
        at = text.find(year, at + 1)
    return False


def _positions(text: str, word: str) -> list[int]:
    """Return the positions of a word in a text."""
    positions = []
    at = text.find(word)
    while at != -1:
        positions.append(at)
        at = text.find(word, at + 1)
    return positions


def _positions_of_initial(text: str, initial: str, seconds: Iterable[str]) -> list[int]:
    """Return the positions of an initial before one of ``seconds``; alone it occurs everywhere."""
    return [
        at
        for second in seconds
        if second in text
        for position in _positions(text, second)
        for gap in range(1, _MOST_BETWEEN + 1)
        for at in (position - gap - len(initial),)
        if at >= 0 and text.startswith(initial, at)
    ]


def _longest_match(text: str, lowered: str, at: int, variants: Sequence[NameVariant]) -> int:
    """Return the end of the longest variant at a position, 0 if there is none."""
    word_end = at + len(variants[0].words[0])
    further = text[word_end : word_end + 1] in _BETWEEN
    for variant in variants:
        if len(variant.words) > 1 and not further:
            continue
        end = _match(text, lowered, at, variant)
        if end:
            return end
    return 0


def _match(text: str, lowered: str, at: int, variant: NameVariant) -> int:
    """Return the end of a variant that begins at ``at``, 0 if it does not occur there."""
    position = at
    for index, word in enumerate(variant.words):
        if index:
            gap = position
            while (
                position < len(text)
                and text[position] in _BETWEEN
                and position - gap < _MOST_BETWEEN
            ):
                position += 1
            if position == gap or (text.startswith(". ", gap) and gap - at > _INITIAL):
                return 0  # a new sentence begins after a word that is not an initial
        if not lowered.startswith(word, position):
            return 0
        if variant.exact and text[position : position + len(word)] != variant.exact[index]:
            return 0
        position += len(word)
    return _end(text, position)


def _end(text: str, position: int) -> int:
    """Return the end of a word, also before `'s` or with an added `s`; 0 if it continues."""
    last, following = text[position - 1], text[position : position + 1]
    if not are_joined(last, following):
        return position
    if following == "s" and not are_joined("s", text[position + 1 : position + 2]):
        return position + 1
    return 0
