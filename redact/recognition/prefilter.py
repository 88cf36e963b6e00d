"""The prefilter: one pass over a text selects the patterns that may match, and misses none."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import hyperscan
import msgspec
import regex

from redact.recognition.compiled_databases import CompiledDatabases
from redact.recognition.kept_databases import load_or_compile
from redact.recognition.matching.regex_relaxation import TextDialect, relax_regex
from redact.recognition.prepared_databases import PreparedDatabases

_FLAGS = (
    (regex.IGNORECASE, hyperscan.HS_FLAG_CASELESS),
    (regex.DOTALL, hyperscan.HS_FLAG_DOTALL),
    (regex.MULTILINE, hyperscan.HS_FLAG_MULTILINE),
)
_GROUP = 200
"""Patterns in one database: the pass over a text is cheaper with few databases, but with all
patterns in one it costs more again, and compiling takes longer."""

_FOREIGN = re.compile(r"[^\x00-\x7f]")
_ODD = re.compile(r"[\u017f\u212a\u0130\u0131]")
"""Non-ASCII letters that are an ASCII letter in another case."""


NumberedExpression = tuple[int, bytes, int]
"""An expression for hyperscan: its index, itself, its flags."""

COMPILED_BY = ("prefilter.py", "matching/regex_relaxation.py")
"""What decides how expressions are compiled, below this package."""


class _Scanner:
    """The databases of one prefilter, each with working memory (scratch) of its own.

    A process compiles a database once, but hyperscan allows only one scan at a time with the same
    scratch, and it releases Python's lock: two threads would disturb each other.
    """

    def __init__(self, compiled: CompiledDatabases) -> None:
        self.always = compiled.always
        self._databases = [(each, each.scratch.clone()) for each in compiled.databases]

    def hits(self, data: bytes) -> set[int]:
        """Return the indices of the expressions that may match."""
        hits = set(self.always)

        def hit(index: int, _from: int, _to: int, _flags: int, _context: object) -> None:
            hits.add(index)

        for database, scratch in self._databases:
            database.scan(data, match_event_handler=hit, scratch=scratch)
        return hits


class Prefilter:
    """A prefilter for expressions of the module ``regex``, each with its flags.

    Compilation takes seconds, unless the databases were kept (see `kept_databases`). It happens
    once per process for the same expressions; for non-ASCII texts it happens on the first of them.
    A prefilter is for one thread at a time; several prefilters may work in as many threads.
    """

    def __init__(self, expressions: Sequence[tuple[str, int]]) -> None:
        self._all = list(range(len(expressions)))
        self._expressions = tuple(expressions)
        self._ascii = _Scanner(_databases(self._expressions, TextDialect.ASCII))
        self._shadow: _Scanner | None = None

    @property
    def always(self) -> frozenset[int]:
        """Return the indices of the expressions that always run."""
        return self._ascii.always | self._beyond_ascii().always

    def candidates(self, text: str) -> list[int]:
        """Return the indices of the expressions that may match in ``text``, in order."""
        if text.isascii():
            scanner, data = self._ascii, text.encode("ascii")
        elif _ODD.search(text):
            return self._all
        else:
            scanner = self._beyond_ascii()
            data = _FOREIGN.sub("\xff", text).encode("latin-1")
        hits = scanner.hits(data)
        return sorted(hits) if hits else []

    def _beyond_ascii(self) -> _Scanner:
        if self._shadow is None:
            self._shadow = _Scanner(_databases(self._expressions, TextDialect.SHADOW))
        return self._shadow


@lru_cache(maxsize=16)
def _databases(expressions: tuple[tuple[str, int], ...], dialect: TextDialect) -> CompiledDatabases:
    """Load the databases of the expressions for texts of one dialect, or compile them."""
    subject = subject_of(expressions, dialect, COMPILED_BY)
    return load_or_compile(subject, lambda: _compile(expressions, dialect))


def prepare_databases(
    expressions: Sequence[tuple[str, int]], prepared: PreparedDatabases
) -> list[Path]:
    """Compile the expressions for texts of each dialect, and write the databases."""
    every = tuple(expressions)
    return [
        prepared.put(subject_of(every, dialect, COMPILED_BY), _databases(every, dialect))
        for dialect in TextDialect
    ]


def subject_of(
    expressions: Sequence[tuple[str, int]], dialect: TextDialect, sources: Sequence[str]
) -> bytes:
    """Return what databases are made of: expressions, dialect, and the code that compiles them."""
    folder = resources.files("redact.recognition")
    code = [sha256(folder.joinpath(name).read_bytes()).digest() for name in sources]
    return msgspec.msgpack.encode((dialect.name, list(expressions), code))


def _compile(expressions: tuple[tuple[str, int], ...], dialect: TextDialect) -> CompiledDatabases:
    """Compile the expressions in groups."""
    refused: set[int] = set()
    usable: list[NumberedExpression] = []
    for index, (expression, flags) in enumerate(expressions):
        try:
            loose = relax_regex(expression, dialect).encode("ascii")
        except ValueError:
            refused.add(index)
            continue
        usable.append((index, loose, _options(flags)))
    databases = [
        database
        for start in range(0, len(usable), _GROUP)
        for database in _compile_group(usable[start : start + _GROUP], refused)
    ]
    return CompiledDatabases(tuple(databases), frozenset(refused))


def _compile_group(group: Sequence[NumberedExpression], refused: set[int]) -> Iterator[Any]:
    """Compile a group; if hyperscan rejects it, compile halves, down to single expressions."""
    database = hyperscan.Database()
    try:
        database.compile(
            expressions=[expression for _, expression, _ in group],
            ids=[index for index, _, _ in group],
            elements=len(group),
            flags=[options for _, _, options in group],
        )
    except hyperscan.error:
        if len(group) == 1:
            refused.add(group[0][0])
            return
        yield from _compile_group(group[: len(group) // 2], refused)
        yield from _compile_group(group[len(group) // 2 :], refused)
        return
    yield database


def _options(flags: int) -> int:
    options = hyperscan.HS_FLAG_PREFILTER | hyperscan.HS_FLAG_SINGLEMATCH
    options |= hyperscan.HS_FLAG_ALLOWEMPTY
    for of_regex, of_hyperscan in _FLAGS:
        if flags & of_regex:
            options |= of_hyperscan
    return int(options)
