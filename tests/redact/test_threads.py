"""Redactors in several threads of one process do not disturb each other."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from redact.identities.identity import IdentityValue
from redact.identities.identity_search import IdentityFinder, SearchableText
from redact.pipeline.factory import build_redactor
from redact.pipeline.redactor import Redactor
from redact.policies.policy import load_policy
from tests.redact.kit import KEYS, NOW, decoded, minimal

THREADS = 2
TEXTS = [
    f"{word} {n}: write to mia{n}@mail.example.com, card 4111 1111 1111 1111, +49 30 901820{n}"
    for word in ("Ask", "Tell", "Remind")
    for n in range(8)
]


@pytest.fixture
def hurried_threads() -> Iterator[None]:
    """Threads take turns as often as Python can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def build() -> Redactor:
    """Return a redactor of its own, as the worker and its assembly have."""
    policy = load_policy("strict")
    names = policy.names.model_copy(update={"model": "none"})
    return build_redactor(policy.model_copy(update={"names": names}), KEYS)


def redact_all(engine: Redactor) -> tuple[int, list[object]]:
    """Return how many records were rejected, and the redacted texts."""
    batch = decoded([minimal(trace_id=f"t{n}", response=text) for n, text in enumerate(TEXTS)])
    outcome = engine.redact(batch, ingested_at=NOW)
    return len(outcome.rejected), outcome.rows.value["response"].to_pylist()


@pytest.mark.usefixtures("hurried_threads")
def test_redactors_in_threads_reject_nothing_and_miss_nothing() -> None:
    """Each has the results of a redactor that works alone."""
    alone = redact_all(build())
    assert alone[0] == 0
    engines = [build() for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        for result in threads.map(redact_all, engines):
            assert result == alone


@pytest.mark.usefixtures("hurried_threads")
def test_threads_share_what_they_search_for() -> None:
    """A date that one thread begins to spell out is found in every spelling by the other."""
    texts = ["born 5 April 1990", "04/05/1990 it was", "1990 began", "April 5th 1990"]

    def search(finder: IdentityFinder) -> list[int]:
        return [len(SearchableText(text).search(finder)) for text in texts * 20]

    alone = search(IdentityFinder(IdentityValue("DATE_OF_BIRTH", "1990-04-05")))
    assert alone[:4] == [2, 1, 0, 1]
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in range(20):
            shared = IdentityFinder(IdentityValue("DATE_OF_BIRTH", "1990-04-05"))
            assert list(threads.map(search, [shared] * THREADS)) == [alone] * THREADS
