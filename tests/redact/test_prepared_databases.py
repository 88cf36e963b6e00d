"""Expressions that were compiled at the installation are used, and nothing else is."""

import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import hyperscan
import pytest

from redact import prepare_databases
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import PRESETS, load_policy
from redact.recognition import compiled_databases, kept_databases, prefilter, prepared_databases
from redact.recognition.compiled_databases import CompiledDatabases
from redact.recognition.kept_databases import load_or_compile
from redact.recognition.matching.regex_relaxation import TextDialect
from redact.recognition.prepared_databases import PREPARED, PreparedDatabases
from tests.architecture.source import ROOT
from tests.redact.kit import KEYS, NOW, decoded, minimal, needs_pure_python
from tests.short_versions import short

SUBJECT = b"digits"


def compiled() -> CompiledDatabases:
    """A database for digits."""
    database = hyperscan.Database()
    database.compile(expressions=[b"[0-9]{4}"], ids=[3], elements=1, flags=[0])
    return CompiledDatabases((database,), frozenset({5}))


def _never() -> CompiledDatabases:
    raise AssertionError("it compiles")


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PreparedDatabases:
    """An installation with the databases of a subject."""
    made = PreparedDatabases(tmp_path / "prepared")
    made.put(SUBJECT, compiled())
    monkeypatch.setattr(kept_databases, "PreparedDatabases", lambda: made)
    return made


def test_what_was_prepared_is_loaded(prepared: PreparedDatabases) -> None:
    """Nothing is compiled, and it finds the same; another user may read it."""
    loaded = load_or_compile(SUBJECT, _never)
    assert loaded.always == {5}
    found: list[int] = []
    (database,) = loaded.databases
    scratch = database.scratch.clone()
    database.scan(b"in 2026", match_event_handler=lambda n, *_: found.append(n), scratch=scratch)
    assert found == [3]
    assert [file.stat().st_mode & 0o777 for file in prepared.folder.iterdir()] == [0o644]


def _cut(content: bytes) -> Iterator[bytes]:
    yield from (content[:length] for length in (0, 31, 32, 33, len(content) - 1))
    yield content + b"\x00"
    yield content[:40] + bytes([content[40] ^ 1]) + content[41:]


def test_a_file_that_was_cut_is_compiled_anew(prepared: PreparedDatabases) -> None:
    """Hyperscan does not see it."""
    (file,) = prepared.folder.iterdir()
    for content in list(_cut(file.read_bytes())):
        file.write_bytes(content)
        assert prepared.get(SUBJECT) is None
        assert load_or_compile(SUBJECT, compiled).always == {5}


def _refuse(_dumped: bytes) -> None:
    raise hyperscan.DatabasePlatformError


def test_anything_else_is_compiled(
    prepared: PreparedDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other expressions, another version of hyperscan, and another processor."""
    assert prepared.get(b"other") is None
    with monkeypatch.context() as changed:
        changed.setattr(compiled_databases, "version", lambda _: "99.0")
        assert prepared.get(SUBJECT) is None
    with monkeypatch.context() as changed:
        changed.setattr(platform, "machine", lambda: "another")
        assert prepared.get(SUBJECT) is None
    assert PreparedDatabases(prepared.folder, _refuse).get(SUBJECT) is None
    assert prepared.get(SUBJECT) is not None


@pytest.mark.parametrize("preset", short(PRESETS, ["strict"]))
def test_what_is_prepared_is_what_a_redactor_asks_for(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The expressions of all types that the policy replaces, for both kinds of texts."""
    needs_pure_python()
    asked: set[bytes] = set()

    def note(subject: bytes, compile_all: Callable[[], CompiledDatabases]) -> CompiledDatabases:
        del compile_all
        asked.add(subject)
        return compiled()

    monkeypatch.setattr(prefilter, "load_or_compile", note)
    # With a domain of its own, since a process asks only once for the same expressions.
    policy = load_policy(preset).model_copy(update={"internal_domains": ["prepared.internal"]})
    expressions = tuple(prepare_databases.expressions_of(policy))
    redactor = PolicyRedactor(policy, KEYS, audit=True)
    redactor.redact(decoded([minimal(response="\u00e9")]), ingested_at=NOW)
    assert asked == {
        prefilter.subject_of(expressions, dialect, prefilter.COMPILED_BY) for dialect in TextDialect
    }


def test_a_source_tree_has_none_and_gets_none() -> None:
    """An edited expression would have no effect, as with compiled modules."""
    needs_pure_python()
    assert not PREPARED.exists()
    assert PREPARED.is_relative_to(ROOT)
    with pytest.raises(SystemExit, match="source tree"):
        prepare_databases.main()
    assert prepared_databases.PreparedDatabases().get(SUBJECT) is None
