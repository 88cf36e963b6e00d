"""Near-duplicates: texts that share most of their shingles, in traces that call the same tools.

MinHash with locality-sensitive hashing (datasketch) finds the few texts that could be alike; the
exact Jaccard similarity of their shingles decides. So whatever is called a near-duplicate is one,
and what is missed is what the first step misses; it looks from 0.7 of the threshold on, to miss
little.

A shingle is a run of tokens of one message: words, single letters of scripts that write no spaces
between words, and signs such as emoji. Punctuation counts where a message holds nothing else.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from datasketch import MinHash, MinHashLSH

from batch.release.sampling.spec import NearDuplicateRule

_UNSPACED: Final = (  # Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_TOKEN: Final = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+|[^\w\s]")
_VARIATIONS: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""They say how a sign is drawn: ❤ with one and without are the same."""
_SEED: Final = 1  # of the permutations; the same for all releases, so that they can be compared
_LOOK_FROM: Final = 0.7


class ComparedTexts(NamedTuple):
    """What of a trace is compared: its texts and calls, and the names of the tools in order."""

    texts: tuple[str, ...]
    tools: tuple[str, ...] = ()


def compared_texts(row: Mapping[str, Any]) -> ComparedTexts:
    """Return what of a trace is compared: what was said and called, but for instructions."""
    messages = [m for m in row["messages"] or [] if m["role"] != "system"]
    calls = [call for m in messages for call in m.get("tool_calls") or []]
    calls += row.get("tool_calls") or []
    said = [*(m["content"] or "" for m in messages), row["response"] or ""]
    asked = [f"{call['name']} {call['arguments']}" for call in calls]
    return ComparedTexts((*said, *asked), tuple(call["name"] for call in calls))


def shingles(texts: Sequence[str], width: int) -> frozenset[str]:
    """Return the runs of ``width`` tokens of each text; of a shorter one, all its tokens."""
    return frozenset(run for text in texts for run in _runs(_tokens(text), width)) or _NOTHING


_NOTHING: Final = frozenset({""})
"""The shingles of a trace in which nothing was said: two of them are alike."""


def _tokens(text: str) -> list[str]:
    """Return the tokens of a text, whatever their case and however their accents are encoded."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    tokens = _TOKEN.findall(plain)
    return [t for t in tokens if t[0].isalnum() or _is_sign(t)] or [
        t for t in tokens if unicodedata.category(t)[0] in "PM"
    ]


def _is_sign(one: str) -> bool:
    """Tell whether a token is a symbol (emoji, currency), or a mark that changes a letter."""
    if len(one) > 1 or one == "_":
        return True
    return unicodedata.category(one)[0] in "SM" and one not in _VARIATIONS


def _runs(tokens: Sequence[str], width: int) -> Iterator[str]:
    if tokens and len(tokens) < width:
        yield " ".join(tokens)
    for start in range(len(tokens) - width + 1):
        yield " ".join(tokens[start : start + width])


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of what is in either set that is in both."""
    return len(left & right) / (len(left | right) or 1)


class MinHashSketches:
    """Shingles and MinHash of traces that have been looked at, by trace id."""

    def __init__(self, rule: NearDuplicateRule) -> None:
        self.rule = rule
        first = MinHashLSH(threshold=rule.threshold * _LOOK_FROM, num_perm=rule.permutations)
        self._bands = (first.b, first.r)  # found by integration, which takes a while
        self._known: dict[str, tuple[frozenset[str], MinHash]] = {}

    def empty_index(self) -> MinHashLSH:
        """Return an index for these sketches."""
        return MinHashLSH(num_perm=self.rule.permutations, params=self._bands)

    def of(self, trace_id: str, texts: Sequence[str]) -> tuple[frozenset[str], MinHash]:
        """Return the shingles of a trace's texts and their MinHash."""
        if trace_id not in self._known:
            found = shingles(texts, self.rule.shingle)
            sketch = MinHash(num_perm=self.rule.permutations, seed=_SEED)
            sketch.update_batch([shingle.encode() for shingle in sorted(found)])
            self._known[trace_id] = found, sketch
        return self._known[trace_id]


class NearDuplicateIndex:
    """The traces that are in, and which of them another is a near-duplicate of."""

    def __init__(self, sketches: MinHashSketches) -> None:
        self._sketches = sketches
        self._lsh = sketches.empty_index()
        self._in: dict[str, tuple[int, frozenset[str], tuple[str, ...]]] = {}

    def add(self, trace_id: str, what: ComparedTexts) -> str | None:
        """Return the trace that this one is most like, if alike enough; else take it in.

        Of several that are equally alike it is the one that came in first. Traces that call other
        tools are not alike, however much of their texts is the same.
        """
        found, sketch = self._sketches.of(trace_id, what.texts)
        alike = [
            (-jaccard(found, there), number, other)
            for other in self._lsh.query(sketch)
            for number, there, tools in [self._in[other]]
            if tools == what.tools
        ]
        if alike and -min(alike)[0] >= self._sketches.rule.threshold:
            return str(min(alike)[2])
        self._lsh.insert(trace_id, sketch)
        self._in[trace_id] = len(self._in), found, what.tools
        return None


def drop_near_duplicates(traces: Sequence[ComparedTexts], rule: NearDuplicateRule) -> list[int]:
    """Return the indices of the traces that stay, the first of each group of near-duplicates."""
    index = NearDuplicateIndex(MinHashSketches(rule))
    return [i for i, what in enumerate(traces) if index.add(str(i), what) is None]
