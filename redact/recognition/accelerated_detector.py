"""A detector with the same findings as Presidio's engine, for a fraction of the work.

One hyperscan pass over the text shows which patterns can match at all. It never misses one: a
pattern that hyperscan cannot express is relaxed, and one that cannot be relaxed always runs. Only
those patterns run, with the same compiled expressions and checks as in Presidio. Context words are
checked only around findings whose score they could raise. Telephone numbers are found in one walk
for all regions. Tests compare the findings with Presidio's (``tests/redact``).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import regex

from redact.lexical.findings import PiiFinding, TextTimeoutError
from redact.recognition.contacts.dialled_numbers import max_dialled_digits
from redact.recognition.contacts.dialled_phones import DialledPhoneRecogniser
from redact.recognition.contacts.phone_walker import PhoneWalker
from redact.recognition.context_words import LONGEST_WORD as _LONGEST_WORD
from redact.recognition.context_words import ContextWords
from redact.recognition.matching.judged_matches import GatedRecogniser, JudgedRecogniser
from redact.recognition.matching.lazy_patterns import compile_expression
from redact.recognition.matching.pattern_recogniser import PatternRecogniser
from redact.recognition.prefilter import Prefilter

_WORD = regex.compile(r"\S+")
_MARKS = {"URL": "."}
"""Types whose (Presidio) patterns never match white space, and the character in each match."""

_EVERY = 64
"""Matches between two checks of the clock."""

_FACTOR, _FLOOR = 0.35, 0.4
"""What a context word adds to a score, and the resulting minimum (Presidio's defaults)."""


@dataclass(frozen=True, slots=True)
class PatternSearch:
    """One pattern of one recogniser, ready to run.

    ``mark`` is a character that each match contains, for patterns that never match white space:
    they run only on the words that contain it. It is empty for all others.
    """

    recogniser: PatternRecogniser
    expression: str
    flags: int
    score: float
    mark: str

    @property
    def pattern(self) -> Any:
        """Return the compiled expression."""
        return compile_expression(self.expression, self.flags)


@dataclass(frozen=True, slots=True)
class PhoneSearch:
    """The telephone number recogniser, and the walker that does its work."""

    recogniser: DialledPhoneRecogniser
    walker: PhoneWalker


Search = PatternSearch | PhoneSearch


class AcceleratedDetector:
    """Runs a list of recognisers.

    Findings that score below ``threshold`` are dropped. A text may take ``seconds``, or until the
    deadline that ``until`` returns.
    """

    def __init__(
        self,
        recognisers: Sequence[PatternRecogniser],
        *,
        threshold: float = 0.0,
        seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        until: Callable[[], float] | None = None,
    ) -> None:
        self._threshold = threshold
        self._clock = clock
        self._until = until or (lambda: clock() + seconds)
        self._context = ContextWords()
        self.searches: list[Search] = []
        self.expressions: list[tuple[str, int]] = []
        for recogniser in recognisers:
            self._add(recogniser)
        self._words = {id(r): _context_words(r) for r in recognisers}
        self._idle = [self._needs_context(owner) for owner in self.searches]
        self.prefilter = Prefilter(self.expressions)

    def find(self, text: str) -> list[PiiFinding]:
        """Return the findings by position; see :class:`redact.lexical.findings.Detector`."""
        candidates = self.prefilter.candidates(text)
        if not candidates:
            return []
        deadline = self._until()
        lowered = text.lower()
        by_key: dict[int, list[PiiFinding]] = {}
        idle: set[int] = set()
        gated = -1
        for index in candidates:
            owner = self.searches[index]
            key = id(owner.recogniser)
            if self._idle[index] and not _any_in(self._words[key], lowered):
                continue
            recogniser = owner.recogniser
            if key != gated and isinstance(recogniser, GatedRecogniser):
                gated = key  # its patterns follow each other
                if not recogniser.may_stand(text):
                    idle.add(key)
            if key in idle:
                continue
            new = self._run(owner, text, deadline)
            if new:
                by_key.setdefault(key, []).extend(new)
        results: list[PiiFinding] = []
        for key, findings in by_key.items():
            results += self._raise_scores(
                text, lowered, _distinct(findings), self._words[key], deadline
            )
        if not results:
            return results
        return sorted(_distinct([f for f in results if f.score >= self._threshold]))

    def _add(self, recogniser: PatternRecogniser) -> None:
        if isinstance(recogniser, DialledPhoneRecogniser):
            walker = PhoneWalker(
                recogniser.regions, recogniser.LENIENCY, self._clock, max_dialled_digits
            )
            self.searches.append(PhoneSearch(recogniser, walker))
            self.expressions.append((walker.expression, 0))
            return
        flags = recogniser.global_regex_flags
        for pattern in recogniser.patterns:
            self.expressions.append((pattern.regex, flags))
            mark = _MARKS.get(recogniser.supported_entities[0], "")
            if isinstance(recogniser, JudgedRecogniser):
                mark = recogniser.mark
            search = PatternSearch(recogniser, pattern.regex, flags, pattern.score, mark)
            self.searches.append(search)

    def _needs_context(self, owner: Search) -> bool:
        """Return whether the matches of a pattern are dropped unless a context word raises them."""
        if not isinstance(owner, PatternSearch) or isinstance(owner.recogniser, JudgedRecogniser):
            return False
        plain = type(owner.recogniser).validate_result is PatternRecogniser.validate_result
        return plain and owner.score < self._threshold

    def _run(self, owner: Search, text: str, deadline: float) -> list[PiiFinding]:
        if isinstance(owner, PatternSearch):
            return self._search(owner, text, deadline)
        kind, score = owner.recogniser.supported_entities[0], owner.recogniser.SCORE
        spans = (owner.recogniser.within(text, *s) for s in owner.walker.spans(text, deadline))
        return [PiiFinding(kind, *span, score) for span in dict.fromkeys(spans) if span is not None]

    def _seconds_left(self, deadline: float) -> float:
        left = deadline - self._clock()
        if left <= 0:
            raise TextTimeoutError
        return left

    def _until_deadline(self, matches: Iterator[Any], deadline: float) -> Iterator[Any]:
        """Yield matches until the deadline."""
        try:
            for index, match in enumerate(matches):
                if not index % _EVERY:
                    self._seconds_left(deadline)
                yield match
        except TimeoutError:
            raise TextTimeoutError from None

    def _search(self, search: PatternSearch, text: str, deadline: float) -> list[PiiFinding]:
        """Do what Presidio's ``PatternRecognizer.analyze`` does for one pattern."""
        kind = search.recogniser.supported_entities[0]
        findings: list[PiiFinding] = []
        recogniser = search.recogniser
        matches = _matches(search, text, partial(self._seconds_left, deadline))
        for match in self._until_deadline(matches, deadline):
            if isinstance(recogniser, JudgedRecogniser):
                findings += (PiiFinding(kind, *judged) for judged in recogniser.judge(text, match))
                continue
            start, end = match.span()
            if start == end:
                continue
            score = _apply_check(search, text[start:end])
            if score > 0:
                findings.append(PiiFinding(kind, start, end, score))
        return findings

    def _raise_scores(
        self,
        text: str,
        lowered: str,
        findings: Sequence[PiiFinding],
        words: tuple[str, ...],
        deadline: float,
    ) -> list[PiiFinding]:
        """Raise the scores of findings that follow a context word."""
        first = _first_of(words, lowered)
        lifted: list[PiiFinding] = []
        for finding in findings:
            score = finding.score
            if score < 1 and first <= finding.end + _LONGEST_WORD:
                self._seconds_left(deadline)
                if self._context.supports(text, lowered, finding.start, words):
                    score = min(max(score + _FACTOR, _FLOOR), 1.0)
            lifted.append(finding.scored(round(score, 6)))
        return lifted


def _context_words(recogniser: PatternRecogniser) -> tuple[str, ...]:
    """Return the context words of a recogniser."""
    return tuple([word.lower() for word in recogniser.context or ()])


def _first_of(words: tuple[str, ...], lowered: str) -> int:
    """Return the position of the first of the words, or one past the text if there is none."""
    positions = [at for at in map(lowered.find, words) if at >= 0]
    return min(positions, default=len(lowered) + 2 * _LONGEST_WORD)


def _matches(search: PatternSearch, text: str, seconds_left: Callable[[], float]) -> Iterator[Any]:
    recogniser = search.recogniser
    if not search.mark and isinstance(recogniser, GatedRecogniser):
        yield from recogniser.matches(search.pattern, text, seconds_left)
        return
    seconds = seconds_left()
    if not search.mark:
        yield from search.pattern.finditer(text, timeout=seconds)
        return
    for word in _WORD.finditer(text):
        if search.mark in word[0]:
            start, end = word.span()
            yield from search.pattern.finditer(text, start, end, timeout=seconds)


def _any_in(words: tuple[str, ...], lowered: str) -> bool:
    return any(word in lowered for word in words)


def _apply_check(search: PatternSearch, value: str) -> float:
    valid = search.recogniser.validate_result(value)
    score = search.score if valid is None else 1.0 if valid else 0.0
    return 0.0 if search.recogniser.invalidate_result(value) else score


def _distinct(findings: Sequence[PiiFinding]) -> list[PiiFinding]:
    """Drop findings inside another one of the same type with at least the same score."""
    ordered = sorted(set(findings), key=lambda f: (f.type, f.start, -(f.end - f.start), -f.score))
    distinct: list[PiiFinding] = []
    active: list[PiiFinding] = []
    for finding in ordered:
        active = [f for f in active if f.type == finding.type and f.end >= finding.start]
        if not any(
            f.start <= finding.start and finding.end <= f.end and finding.score <= f.score
            for f in active
        ):
            distinct.append(finding)
            active.append(finding)
    return distinct
