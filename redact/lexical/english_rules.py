"""spaCy's lists for English: stop words, and the rules that split a stretch of text into tokens.

They are loaded from the installed spaCy, but without its engine, which takes a second to import.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from redact.lexical.isolated_modules import IsolatedModules

_TEXT: Final = "text"
"""What spaCy calls ORTH: the attribute of a token that is its text."""

_SpecialCases = Mapping[str, list[dict[str, str]]]


class TokenRules(NamedTuple):
    """The rules: ``specials`` are stretches with their tokens, the others split what is not one."""

    specials: Mapping[str, tuple[str, ...]]
    prefix: re.Pattern[str]
    suffix: re.Pattern[str]
    infix: re.Pattern[str]
    url: re.Pattern[str]


def english_stop_words() -> frozenset[str]:
    """Return the stop words, in lower case."""
    return frozenset(_modules().load("spacy.lang.en.stop_words").STOP_WORDS)


@lru_cache(maxsize=1)
def english_token_rules() -> TokenRules:
    """Return the rules of ``spacy.blank("en")``."""
    load = _modules().load
    cases: _SpecialCases = load("spacy.lang.en.tokenizer_exceptions").TOKENIZER_EXCEPTIONS
    punctuation = load("spacy.lang.punctuation")
    infixes = load("spacy.lang.en.punctuation").TOKENIZER_INFIXES
    return TokenRules(
        {text: tuple([token[_TEXT] for token in tokens]) for text, tokens in cases.items()},
        _any_of("^{}", punctuation.TOKENIZER_PREFIXES),
        _any_of("{}$", punctuation.TOKENIZER_SUFFIXES),
        _any_of("{}", infixes),
        re.compile(load("spacy.lang.tokenizer_exceptions").URL_PATTERN),
    )


def _any_of(form: str, expressions: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(form.format(each) for each in expressions if each.strip()))


def _merge_cases(base: _SpecialCases, *others: _SpecialCases) -> _SpecialCases:
    """Return all special cases, those with an apostrophe in its typographic form too."""
    merged = dict(base)
    for other in others:
        merged |= other
    return merged | {
        text.replace("'", "\u2019"): [
            token | {_TEXT: token[_TEXT].replace("'", "\u2019")} for token in tokens
        ]
        for text, tokens in merged.items()
        if "'" in text
    }


@lru_cache(maxsize=1)
def _modules() -> IsolatedModules:
    stand_ins: dict[str, dict[str, Any]] = {
        "spacy.symbols": {"ORTH": _TEXT, "NORM": "norm"},
        "spacy.util": {"update_exc": _merge_cases},
    }
    return IsolatedModules("spacy", stand_ins)
