"""Near-duplicates: texts that share most of their word shingles.

MinHash with locality-sensitive hashing (datasketch) finds the few texts that could be alike; the
exact Jaccard similarity of their shingles decides. So whatever is called a near-duplicate is one,
and what is missed is what the first step misses; it looks from 0.7 of the threshold on, to miss
little.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from datasketch import MinHash, MinHashLSH

from batch.release.spec import NearDuplicates

_WORD: Final = re.compile(r"\w+")
_SEED: Final = 1  # of the permutations; the same for all releases, so that they can be compared
_LOOK_FROM: Final = 0.7


def compared_text(row: Mapping[str, Any]) -> str:
    """Return what of a trace is compared: what was said, but for the system's instructions."""
    said = [m["content"] or "" for m in row["messages"] or [] if m["role"] != "system"]
    return "\n".join([*said, row["response"] or ""])


def shingles(text: str, width: int) -> frozenset[str]:
    """Return the runs of ``width`` words of a text, lower case; of a shorter one, all its words."""
    words = _WORD.findall(text.lower())
    if len(words) < width:
        return frozenset({" ".join(words)})
    return frozenset(" ".join(words[i : i + width]) for i in range(len(words) - width + 1))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Return the share of what is in either set that is in both."""
    return len(left & right) / (len(left | right) or 1)


class Sketches:
    """Shingles and MinHash of texts that have been looked at, by trace id."""

    def __init__(self, rule: NearDuplicates) -> None:
        self.rule = rule
        first = MinHashLSH(threshold=rule.threshold * _LOOK_FROM, num_perm=rule.permutations)
        self._bands = (first.b, first.r)  # found by integration, which takes a while
        self._known: dict[str, tuple[frozenset[str], MinHash]] = {}

    def empty_index(self) -> MinHashLSH:
        """Return an index for these sketches."""
        return MinHashLSH(num_perm=self.rule.permutations, params=self._bands)

    def of(self, trace_id: str, text: str) -> tuple[frozenset[str], MinHash]:
        """Return the shingles of a text and their MinHash."""
        if trace_id not in self._known:
            found = shingles(text, self.rule.shingle)
            sketch = MinHash(num_perm=self.rule.permutations, seed=_SEED)
            sketch.update_batch([shingle.encode() for shingle in sorted(found)])
            self._known[trace_id] = found, sketch
        return self._known[trace_id]


class NearIndex:
    """The texts that are in, and which of them another is a near-duplicate of."""

    def __init__(self, sketches: Sketches) -> None:
        self._sketches = sketches
        self._lsh = sketches.empty_index()
        self._in: dict[str, tuple[int, frozenset[str]]] = {}

    def add(self, trace_id: str, text: str) -> str | None:
        """Return the trace that this one is most like, if alike enough; else take it in.

        Of several that are equally alike it is the one that came in first.
        """
        found, sketch = self._sketches.of(trace_id, text)
        alike = [
            (-jaccard(found, there), number, other)
            for other in self._lsh.query(sketch)
            for number, there in [self._in[other]]
        ]
        if alike and -min(alike)[0] >= self._sketches.rule.threshold:
            return str(min(alike)[2])
        self._lsh.insert(trace_id, sketch)
        self._in[trace_id] = len(self._in), found
        return None


def unlike(texts: Sequence[str], rule: NearDuplicates) -> list[int]:
    """Return the indices of the texts that stay, the first of each group of near-duplicates."""
    index = NearIndex(Sketches(rule))
    return [i for i, text in enumerate(texts) if index.add(str(i), text) is None]
