"""Splits a stretch of text without white space into tokens, as ``spacy.blank("en")`` does.

Presidio looks for context words in such tokens. The algorithm is that of spaCy's documentation
(https://spacy.io/usage/linguistic-features#how-tokenizer-works): a stretch is a special case, or
loses prefixes and suffixes until it is one, a URL, or is split at infixes. At last, tokens that are
a special case together are replaced. Tests compare the tokens with spaCy's.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache

from redact.lexical.english_rules import TokenRules, english_token_rules

Specials = Mapping[str, tuple[str, ...]]


def is_punctuation(word: str) -> bool:
    """Return whether a word has only punctuation."""
    return all([unicodedata.category(sign)[0] == "P" for sign in word])  # noqa: C419  # faster so


class PlainTokens:
    """Splits stretches by some rules, those of English by default."""

    def __init__(self, rules: TokenRules | None = None) -> None:
        self._rules = rules or english_token_rules()
        self._phrases: dict[str, list[tuple[str, ...]]] = {}
        for text in self._rules.specials:
            if self._has_affix(text):
                phrase = tuple(self._split(text, {}))
                self._phrases.setdefault(phrase[0], []).append(phrase)

    def split(self, stretch: str) -> list[str]:
        """Return the tokens of a stretch, which together are the stretch."""
        tokens = self._split(stretch, self._rules.specials)
        spans = self._special_spans(tokens)
        return self._replace(tokens, spans) if spans else tokens

    def _has_affix(self, text: str) -> bool:
        rules = self._rules
        return any(each.search(text) for each in (rules.prefix, rules.infix, rules.suffix))

    def _split(self, stretch: str, specials: Specials) -> list[str]:
        prefixes: list[str] = []
        suffixes: list[str] = []
        rest = stretch
        while rest and rest not in specials:
            before = rest
            start, end = self._edges(rest, specials)
            if start:
                prefixes.append(rest[:start])
            if end < len(rest):
                suffixes.append(rest[end:])
            rest = rest[start:end]
            if rest == before:
                break
        return [*prefixes, *self._middle(rest, specials), *reversed(suffixes)]

    def _edges(self, rest: str, specials: Specials) -> tuple[int, int]:
        """Return where a text begins and ends without one prefix and one suffix."""
        prefix = self._rules.prefix.search(rest)
        start = prefix.end() if prefix else 0
        if start and rest[start:] in specials:
            return start, len(rest)
        suffix = self._rules.suffix.search(rest[start:])
        end = len(rest) - (suffix.end() - suffix.start() if suffix else 0)
        if end < len(rest) and rest[:end] in specials:
            return 0, end
        return start, end

    def _middle(self, rest: str, specials: Specials) -> Sequence[str]:
        """Return the tokens of what has no prefix and no suffix."""
        if not rest:
            return ()
        special = specials.get(rest)
        if special:
            return special
        if self._rules.url.match(rest):
            return (rest,)
        tokens: list[str] = []
        start = 0
        for infix in self._rules.infix.finditer(rest):
            if infix.start():
                tokens += (rest[start : infix.start()], infix[0])
                start = infix.end()
        return [token for token in (*tokens, rest[start:]) if token]

    def _special_spans(self, tokens: Sequence[str]) -> dict[int, int]:
        """Return the tokens that are a special case together: the first, and the end.

        Of spans that overlap, the longest counts, and of equal ones the first.
        """
        spans = [
            (start, start + len(phrase))
            for start, token in enumerate(tokens)
            for phrase in self._phrases.get(token, ())
            if tuple(tokens[start : start + len(phrase)]) == phrase
        ]
        chosen: dict[int, int] = {}
        seen: set[int] = set()
        for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
            if start not in seen and end - 1 not in seen:
                chosen[start] = end
            seen.update(range(start, end))
        return chosen

    def _replace(self, tokens: Sequence[str], spans: dict[int, int]) -> list[str]:
        replaced: list[str] = []
        at = 0
        while at < len(tokens):
            end = spans.get(at, at + 1)
            span = tokens[at:end]
            special = self._rules.specials.get("".join(span)) if at in spans else None
            replaced += special or span
            at = end
        return replaced


@lru_cache(maxsize=1)
def english_tokens() -> PlainTokens:
    """Return what splits English text; made when a text first needs it."""
    return PlainTokens()
