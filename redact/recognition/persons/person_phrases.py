"""Recognisers for names in prose by the words around them: introductions, titles, accounts, ages.

The text after `my name is` is a name, whatever it looks like; after `I'm` or `hello` it is a name
if it begins with a given name of the list. The words, in twenty languages, are in
``introductions.json``.
"""

import json
import re
from collections.abc import Iterable, Iterator
from importlib import resources
from typing import Any, Final

from redact.field_keys.dummy_values import has_only_ordinary_words, is_ordinary_word
from redact.field_keys.person_values import is_organisation
from redact.field_keys.value_types import type_of_value
from redact.lexical.given_names import has_given_name_after, is_given_name
from redact.recognition.matching.judged_matches import GatedRecogniser, JudgedRecogniser, JudgedSpan
from redact.recognition.matching.lazy_patterns import ScoredPattern
from redact.recognition.matching.pattern_recogniser import PatternRecogniser

_FOLDER: Final = resources.files("redact")
_PHRASES: Final = json.loads((_FOLDER / "introductions.json").read_text(encoding="utf-8"))
_EVERYDAY: Final = frozenset(
    json.loads((_FOLDER / "everyday_words.json").read_text(encoding="utf-8"))
)
_LETTERS: Final = re.compile(r"[^\W\d_]+")
CERTAIN_SCORE: Final = 0.9
"""The score of a name that words announce: higher than any score of a model."""


def _any_of(phrases: Iterable[str], *, fold: bool = True) -> str:
    """Return an expression for any of some phrases, with either form of the apostrophe."""
    longest_first = sorted(phrases, key=len, reverse=True)
    joined = "|".join(re.escape(phrase) for phrase in longest_first)
    joined = joined.replace("'", r"\\{0,3}['\u2019]{1,2}").replace("\\ ", "[ ]")
    return f"(?i:{joined})" if fold else f"(?:{joined})"


_EDGE = r"(?<![^\W_])"
_LETTER = r"[^\W\d_]"
_TAIL = rf"(?:['\u2019-]{_LETTER}{{1,20}})*"
_HEAD = rf"(?:{_LETTER}['\u2019])?"
_NOT_SMALL = r"(?![a-z\u00df-\u00f6\u00f8-\u00ff\u0430-\u044f\u0451\u03ac-\u03ce])"
_CAPITAL = rf"{_NOT_SMALL}{_HEAD}{_LETTER}{{2,24}}{_TAIL}"
_PARTICLE = (
    r"(?:de la|de las|de los|van der|van den|von der|de|del|della|di|da|do|dos|das|du|van|von|zu|"
    r"zur|ter|ten|la|le|el|al|bin|ibn|ben|y|e)"
)
_BETWEEN = rf"(?:[ _](?:[A-Z]\.[ ]?)?|[ ]{_PARTICLE}[ ]|-)"
_FULL = rf"{_CAPITAL}(?:{_BETWEEN}{_CAPITAL}){{0,3}}"
_STOP = rf"(?!{_any_of(_PHRASES['stop'])}(?!{_LETTER}))"
_ANY = rf"{_STOP}{_HEAD}{_LETTER}{{2,24}}{_TAIL}"
_ANY_FULL = rf"{_ANY}(?:(?:[ ][A-Z]\.)?[ _](?:{_PARTICLE}[ ])?{_ANY}){{0,2}}"
_GAP = r"[\s:]{1,3}[\"'*_`\u201c\u2018(\[]{0,3}"
_LINE_END = r"(?=\s*(?:\n|\Z|[,|(]))"
_HAN = r"[\u4e00-\u9fff\u3005\u00b7]"
_KANA_OR_HAN = r"[\u4e00-\u9fff\u3005\u30a0-\u30ff]"


def _after(phrases: str, name: str, *, fold: bool = True) -> str:
    """Return an expression for a name after a phrase of one kind, and what may follow."""
    return rf"(?<={_EDGE}{_any_of(_PHRASES[phrases], fold=fold)}{name}"


class IntroducedNameRecogniser(PatternRecogniser):
    """Finds the name after `my name is` and the like, at the end of a letter, and after a title."""

    PATTERNS = (
        ScoredPattern("Named", _after("named", rf"{_GAP}){_ANY_FULL}"), CERTAIN_SCORE),
        ScoredPattern("Labelled", _after("labelled", rf"[.:]?[ ]{{1,2}}){_FULL}"), CERTAIN_SCORE),
        ScoredPattern(
            "Signed",
            _after("signed", rf"[,.!]?[ ]?\n{{1,2}}[\s*_-]{{0,3}}){_FULL}{_LINE_END}"),
            CERTAIN_SCORE,
        ),
        ScoredPattern("Titled", _after("titled", rf"\.?[ ]){_FULL}", fold=False), CERTAIN_SCORE),
        ScoredPattern("Titled, small", rf"(?<={_EDGE}(?:mr|mrs|ms|dr|herr|frau)\.?[ ]){_ANY}", 0.6),
        ScoredPattern(
            "Named, Japanese",
            rf"(?<=\u540d\u524d\u306f){_LETTER}{{2,10}}?(?=\u3067\u3059|\u3068|[\u3002\u3001,.!]|\Z)",
            CERTAIN_SCORE,
        ),
        ScoredPattern(
            "Calls oneself, Japanese",
            rf"{_KANA_OR_HAN}{{2,8}}(?=\u3068\u7533\u3057\u307e\u3059|\u3068\u3044\u3044\u307e\u3059)",
            CERTAIN_SCORE,
        ),
        ScoredPattern(
            "Named, Chinese",
            rf"(?<=\u6211\u53eb|\u540d\u5b57\u662f|\u540d\u5b57\u53eb|\u59d3\u540d\u662f)\s?{_HAN}{{2,4}}",
            CERTAIN_SCORE,
        ),
        ScoredPattern(
            "Named, Korean",
            rf"(?<=\uc774\ub984\uc740\s?){_LETTER}{{2,5}}?"
            r"(?=\uc785\ub2c8\ub2e4|\uc774\uc5d0\uc694|\uc608\uc694|\uc774\uace0|[\s.,!]|\Z)",
            CERTAIN_SCORE,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PERSON",
            patterns=list(self.PATTERNS),
            global_regex_flags=0,
            name="Introduced",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse everyday words in lower case (`my name is correct`), and teams that sign."""
        if pattern_text.islower():
            return pattern_text.partition(" ")[0] in _EVERYDAY
        return is_organisation(pattern_text)


_COLON = r"[ ]?[:\uff1a][ ]{0,2}[\"'*_`\u201c\u2018(]{0,3}"
_TWO = rf"(?:{_CAPITAL}(?:{_BETWEEN}{_CAPITAL}){{1,3}}|{_ANY}(?:[ ]{_PARTICLE})?[ ]{_ANY})"
_GOES_ON: Final = re.compile(r"[ ](?:and|or|but|who|und|oder|et|y|e|en|i|och|og|ja)[ ][^\W\d_A-Z]")
"""The sentence continues after a person's name; after a thing's name the line ends."""
_SIGN: Final = re.compile(r"[:\uff1a]")
_LONGEST_LABEL: Final = 40


class LabelledNameRecogniser(JudgedRecogniser):
    """Finds the name after `passenger:` anywhere, and after `name:` in the middle of a line.

    At the start of a line `name:` is a key (``redact.analysis.keyed_values``), perhaps of a thing:
    only a given name of the list counts there. After `I'm` a name is two capitalised words that
    are not ordinary.
    """

    PATTERNS = (
        ScoredPattern("Of a person", _after("of_person", rf"{_COLON}){_TWO}"), CERTAIN_SCORE),
        ScoredPattern(
            "Of oneself", _after("oneself", rf"[ ]){_CAPITAL}{_BETWEEN}{_CAPITAL}"), CERTAIN_SCORE
        ),
        ScoredPattern("Of a name", _after("of_name", rf"{_COLON}){_TWO}"), CERTAIN_SCORE),
    )
    _KEY = re.compile(
        rf"(?:\A|\n)[^\w\n]{{0,8}}{_any_of(_PHRASES['of_name'])}{_COLON}\Z", re.IGNORECASE
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PERSON",
            patterns=list(self.PATTERNS),
            global_regex_flags=0,
            name="Called",
        )

    def judge(self, text: str, match: Any) -> Iterator[JudgedSpan]:
        """Yield the values that the same word as a key would make a name."""
        start, end = match.span()
        if type_of_value("PERSON", match[0], certain=False) is None:
            return
        if not _SIGN.search(text, max(start - 6, 0), start) and any(
            is_ordinary_word(word) for word in _LETTERS.findall(match[0])
        ):
            return
        if self._KEY.search(text, max(start - _LONGEST_LABEL, 0), start):
            first = _LETTERS.search(match[0])
            is_given = first is not None and is_given_name(first[0])
            if not is_given and not _GOES_ON.match(text, end):
                return
        yield start, end, CERTAIN_SCORE


_LAST_TWO: Final = frozenset(phrase[-2:] for phrase in _PHRASES["presented"])
"""The last two characters of the phrases of an introduction, in lower case."""


class GreetedNameRecogniser(GatedRecogniser):
    """Finds a given name after `I'm`, `this is` or `hello`, and the rest of the name."""

    PATTERNS = (
        ScoredPattern("Presented", _after("presented", rf"[,:]?[ ]){_FULL}"), CERTAIN_SCORE),
        ScoredPattern(
            "Presented, small",
            _after("presented", rf"[,:]?[ ]){_ANY}(?:[ ]{_ANY})?(?![^\W_])"),
            0.7,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="PERSON",
            patterns=list(self.PATTERNS),
            global_regex_flags=0,
            name="Presented",
        )

    def may_stand(self, text: str) -> bool:
        """Return whether a given name follows a space and the end of a phrase."""
        return has_given_name_after(text, _LAST_TWO)

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse a match that does not begin with a given name."""
        first = _LETTERS.search(pattern_text)
        return first is None or first[0] in _OF_GOODS or not is_given_name(first[0])


_OF_GOODS: Final = frozenset(["EAN", "ISBN", "SKU", "SHA", "IMO"])
"""Names of numbers that are also given names: `it is EAN 5792552777848`."""


class AccountRecogniser(PatternRecogniser):
    """Finds the account name after `user id is` and the like."""

    PATTERNS = (
        ScoredPattern(
            "After its label",
            r"(?<=\b(?:user|customer|member|account|login|client)[ _-]?(?:id|name|number|no\.?)"
            r"(?:[ ](?:is|was)[ ]|[ ]?[:=#][ ]?|[ ])[\"'`*]{0,3})"
            r"(?=[\w.@-]{0,40}[0-9_])[\w][\w.@-]{2,40}[\w]",
            0.7,
        ),
    )

    def __init__(self) -> None:
        super().__init__(
            supported_entity="USER_ID", patterns=list(self.PATTERNS), name="AccountName"
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        """Refuse the words of a key or a variable: `client_id=client_id`, `user_name: my_user`."""
        return not any(map(str.isdigit, pattern_text)) and has_only_ordinary_words(pattern_text)


class AgeRecogniser(PatternRecogniser):
    """Finds ages by words such as `years old`."""

    PATTERNS = (
        ScoredPattern("Years old", r"(?<![\w.])[1-9][0-9]?[0-9]?(?=[ -]years?[ -]old\b)", 0.7),
        ScoredPattern(
            "Aged", r"(?<=\b(?:aged?|turn(?:ed|ing)|age[ ]is|age[ ]of)[ :])[1-9][0-9]?\b", 0.6
        ),
    )

    def __init__(self) -> None:
        super().__init__(supported_entity="AGE", patterns=list(self.PATTERNS), name="Age")
