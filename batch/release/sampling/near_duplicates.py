"""Near-duplicates: texts that share most of their shingles, in traces that call the same tools.

MinHash with locality-sensitive hashing (datasketch) finds candidates; the exact Jaccard similarity
of their shingles decides. So every reported near-duplicate is one, and only candidates can be
missed. The first step searches from 0.7 of the threshold, to miss few.

A shingle is a run of tokens of one message: words, single letters of scripts without spaces between
words, and signs such as emoji. Punctuation counts if a message holds nothing else.

datasketch is loaded with the first rule: it brings SciPy, a quarter of the start of a command.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from batch.release.format.rows import TraceFields
from batch.release.sampling.spec import NearDuplicateRule

if TYPE_CHECKING:
    from datasketch import MinHash, MinHashLSH

_UNSPACED: Final = (  # Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_TOKEN: Final = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+|[^\w\s]")
_VARIATIONS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Variation selectors change how a symbol is drawn: ❤ is the same with and without one."""
_SEED: Final = 1  # of the permutations; the same for all releases, so that they can be compared
_SEARCH_FROM: Final = 0.7


class ComparedTexts(NamedTuple):
    """The compared part of a trace: its texts and calls, and the names of its tools in order."""

    texts: tuple[str, ...]
    tools: tuple[str, ...] = ()


def compared_texts(row: TraceFields) -> ComparedTexts:
    """Return the compared part of a trace: messages and calls, without system messages."""
    messages = [m for m in row["messages"] or [] if m["role"] != "system"]
    calls = [
        (call["name"], call["arguments"]) for m in messages for call in m.get("tool_calls") or []
    ]
    calls += [(call["name"], call["arguments"]) for call in row.get("tool_calls") or []]
    texts = [*(m["content"] or "" for m in messages), row["response"] or ""]
    texts += [f"{name} {arguments}" for name, arguments in calls]
    return ComparedTexts(tuple(texts), tuple(name for name, _ in calls))


def shingles(texts: Sequence[str], width: int) -> frozenset[str]:
    """Return the runs of ``width`` tokens of each text; all tokens of a shorter one."""
    return frozenset(run for text in texts for run in _runs(_tokens(text), width)) or _NOTHING


_NOTHING: Final = frozenset({""})
"""The shingles of a trace without text: two such traces are alike."""


def _tokens(text: str) -> list[str]:
    """Return the tokens of a text, regardless of case and of how accents are encoded."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    tokens = _TOKEN.findall(plain)
    return [t for t in tokens if t[0].isalnum() or _is_sign(t)] or [
        t for t in tokens if unicodedata.category(t)[0] in "PM"
    ]


def _is_sign(sign: str) -> bool:
    """Return whether a token is a symbol (emoji, currency), or a mark that changes a letter."""
    if len(sign) > 1 or sign == "_":
        return True
    return unicodedata.category(sign)[0] in "SM" and sign not in _VARIATIONS


def _runs(tokens: Sequence[str], width: int) -> Iterator[str]:
    if tokens and len(tokens) < width:
        yield " ".join(tokens)
    for start in range(len(tokens) - width + 1):
        yield " ".join(tokens[start : start + width])


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the size of the intersection over the size of the union."""
    return len(left & right) / (len(left | right) or 1)


class MinHashSketches:
    """Shingles and MinHash of the traces compared so far, by trace id."""

    def __init__(self, rule: NearDuplicateRule) -> None:
        self.rule = rule
        self._library = import_module("datasketch")
        first = self._library.MinHashLSH(
            threshold=rule.threshold * _SEARCH_FROM, num_perm=rule.permutations
        )
        self._bands = (first.b, first.r)  # computed by integration, which is slow
        self._sketches: dict[str, tuple[frozenset[str], MinHash]] = {}

    def empty_index(self) -> "MinHashLSH":
        """Return an index for these sketches."""
        return self._library.MinHashLSH(num_perm=self.rule.permutations, params=self._bands)

    def of(self, trace_id: str, texts: Sequence[str]) -> tuple[frozenset[str], "MinHash"]:
        """Return the shingles of a trace's texts and their MinHash."""
        if trace_id not in self._sketches:
            runs = shingles(texts, self.rule.shingle)
            sketch = self._library.MinHash(num_perm=self.rule.permutations, seed=_SEED)
            sketch.update_batch([shingle.encode() for shingle in sorted(runs)])
            self._sketches[trace_id] = runs, sketch
        return self._sketches[trace_id]


class NearDuplicateIndex:
    """The included traces, searchable for near-duplicates of another trace."""

    def __init__(self, sketches: MinHashSketches) -> None:
        self._sketches = sketches
        self._lsh = sketches.empty_index()
        self._included: dict[str, tuple[int, frozenset[str], tuple[str, ...]]] = {}

    def add(self, trace_id: str, trace: ComparedTexts) -> str | None:
        """Return the included trace most similar to this one, if similar enough; else include it.

        If several are equally similar, it is the one included first. Traces that call different
        tools are never near-duplicates, however similar their texts.
        """
        runs, sketch = self._sketches.of(trace_id, trace.texts)
        alike = [
            (-jaccard(runs, other_runs), order, other)
            for other in self._lsh.query(sketch)
            for order, other_runs, tools in [self._included[other]]
            if tools == trace.tools
        ]
        if alike and -min(alike)[0] >= self._sketches.rule.threshold:
            return str(min(alike)[2])
        self._lsh.insert(trace_id, sketch)
        self._included[trace_id] = len(self._included), runs, trace.tools
        return None
