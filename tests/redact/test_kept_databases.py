"""Compiled expressions are kept between processes; whatever is not ours is compiled anew."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import hyperscan
import msgspec
import pytest

from redact.crypto.keys import Keys
from redact.recognition import compiled_databases
from redact.recognition.compiled_databases import CompiledDatabases, load_database
from redact.recognition.kept_databases import KeptDatabases, load_or_compile
from redact.recognition.matching.regex_relaxation import TextDialect
from redact.recognition.prefilter import COMPILED_BY, subject_of

Expressions = Sequence[tuple[int, bytes, int]]

KEY = Keys.derive(bytes(range(32))).databases
DIGITS: Expressions = [
    (3, b"[0-9]{4}", 0),
    (7, b"abc", hyperscan.HS_FLAG_CASELESS),
]


def subject(expressions: Expressions) -> bytes:
    """Return what the compiler compiles, as bytes."""
    return msgspec.msgpack.encode(expressions)


@dataclass
class Shelf:
    """A store in memory."""

    processor: str = "one"
    contents: dict[str, bytes] = field(default_factory=dict)
    locks: list[str] = field(default_factory=list)

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Note the name."""
        self.locks.append(name)
        yield

    def load(self, name: str) -> bytes | None:
        """Return what was kept."""
        assert self.locks[-1] == name
        return self.contents.get(name)

    def save(self, name: str, content: bytes) -> None:
        """Keep it."""
        assert self.locks[-1] == name
        self.contents[name] = content


class Compiler:
    """Compiles what it was made with, and counts how often."""

    def __init__(self, expressions: Expressions = DIGITS) -> None:
        self.expressions = expressions
        self.times = 0

    def __call__(self) -> CompiledDatabases:
        """Compile."""
        self.times += 1
        database = hyperscan.Database()
        numbers, texts, flags = zip(*self.expressions, strict=True)
        database.compile(expressions=texts, ids=numbers, elements=len(numbers), flags=flags)
        return CompiledDatabases((database,), frozenset({5}))


def hits(compiled: CompiledDatabases, data: bytes) -> set[int]:
    """Return the numbers of the expressions that match."""
    found: set[int] = set()

    def hit(number: int, *_: Any) -> None:
        found.add(number)

    for database in compiled.databases:
        database.scan(data, match_event_handler=hit, scratch=database.scratch.clone())
    return found


@pytest.fixture
def shelf() -> Shelf:
    """A store that holds the databases of `DIGITS`."""
    shelf = Shelf()
    KeptDatabases(shelf, KEY).get(subject(DIGITS), Compiler())
    assert len(shelf.contents) == 1
    return shelf


def test_what_was_kept_is_loaded_and_finds_the_same(shelf: Shelf) -> None:
    """Nothing is compiled; scanning needs no more than after compiling."""
    compiler = Compiler()
    loaded = KeptDatabases(shelf, KEY).get(subject(DIGITS), compiler)
    assert compiler.times == 0
    assert loaded.always == {5}
    for data in (b"1234", b"ABC 1", b"nothing", b"abc 99999"):
        assert hits(loaded, data) == hits(compiler(), data)


def _cut(content: bytes) -> Iterator[bytes]:
    yield from (content[:length] for length in (0, 1, 31, 32, 33, 100, len(content) - 1))
    yield content + b"\x00"


def _flipped(content: bytes) -> Iterator[bytes]:
    for at in (0, 31, 32, 40, len(content) // 2, len(content) - 1):
        yield content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def _forged(content: bytes) -> Iterator[bytes]:
    """A database that finds nothing, by who does not know the key: with a MAC of another."""
    blind: Expressions = [(3, b"never", 0), (7, b"ever", 0)]
    other = Shelf()
    KeptDatabases(other, bytes(32)).get(subject(DIGITS), Compiler(blind))
    (made,) = other.contents.values()
    yield made
    yield content[:32] + made[32:]
    yield bytes(32) + made[32:]


def _foreign(_content: bytes) -> Iterator[bytes]:
    """What we ourselves have kept for other expressions, flags, or another processor."""
    for expressions, processor in (
        ([(3, b"[0-9]{5}", 0), DIGITS[1]], "one"),
        ([(4, b"[0-9]{4}", 0), DIGITS[1]], "one"),
        ([(3, b"[0-9]{4}", hyperscan.HS_FLAG_DOTALL), DIGITS[1]], "one"),
        (DIGITS, "two"),
    ):
        other = Shelf(processor)
        KeptDatabases(other, KEY).get(subject(expressions), Compiler(expressions))
        yield from other.contents.values()


@pytest.mark.parametrize("change", [_cut, _flipped, _forged, _foreign])
def test_what_is_not_ours_is_never_loaded(
    shelf: Shelf, change: Callable[[bytes], Iterator[bytes]]
) -> None:
    """Hyperscan does not see it; it is compiled anew, and replaced."""
    ((name, sound),) = shelf.contents.items()
    seen: list[bytes] = []

    def load(dumped: bytes) -> Any:
        seen.append(dumped)
        return load_database(dumped)

    kept = KeptDatabases(shelf, KEY, load)
    for content in list(change(sound)):
        assert content != sound
        shelf.contents[name] = content
        compiler = Compiler()
        found = kept.get(subject(DIGITS), compiler)
        assert compiler.times == 1
        assert seen == []
        assert hits(found, b"1234 abc") == {3, 7}
        assert shelf.contents == {name: shelf.contents[name]}
        kept.get(subject(DIGITS), compiler)
        assert compiler.times == 1
        assert seen
        seen.clear()


def test_what_hyperscan_rejects_is_compiled_anew(shelf: Shelf) -> None:
    """Also if it is ours: a database of another build of hyperscan with the same version."""

    def refuse(_dumped: bytes) -> Any:
        return load_database(b"no database")

    compiler = Compiler()
    assert hits(KeptDatabases(shelf, KEY, refuse).get(subject(DIGITS), compiler), b"1234") == {3}
    assert compiler.times == 1


def test_another_version_of_hyperscan_has_other_names(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and new processes beside each other do not replace what the other keeps."""
    monkeypatch.setattr(compiled_databases, "version", lambda _: "99.0")
    compiler = Compiler()
    KeptDatabases(shelf, KEY).get(subject(DIGITS), compiler)
    assert compiler.times == 1
    assert len(shelf.contents) == 2


def test_another_key_compiles_for_itself(shelf: Shelf) -> None:
    """After a rotation nothing of before is trusted."""
    compiler = Compiler()
    KeptDatabases(shelf, Keys.derive(bytes(32)).databases).get(subject(DIGITS), compiler)
    assert compiler.times == 1
    assert len(shelf.contents) == 1


def test_without_a_store_nothing_is_kept() -> None:
    """The default of a process."""
    compiler = Compiler()
    load_or_compile(subject(DIGITS), compiler)
    load_or_compile(subject(DIGITS), compiler)
    assert compiler.times == 2


def test_the_code_that_compiles_is_part_of_the_subject() -> None:
    """And the dialect of the texts: what another version of it has compiled is not loaded."""
    assert set(COMPILED_BY) == {"prefilter.py", "matching/regex_relaxation.py"}
    subjects = {
        subject_of([(expression, flags)], dialect, sources)
        for sources in (COMPILED_BY, COMPILED_BY[:1], COMPILED_BY[::-1])
        for dialect in TextDialect
        for expression in ("a", "b")
        for flags in (0, 1)
    }
    assert len(subjects) == 3 * 2 * 2 * 2
