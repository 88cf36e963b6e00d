"""Nothing of what is planted or known of a person is left: the promise of redaction.

Canaries of every type are planted in every text field and every disguise; and the traces of real
conversations are searched for all known values of their users.
"""

import base64
import json
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from redact.crypto.sealing import Sealer
from redact.pipeline.factory import build_redactor
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.policies.policy import RedactionPolicy, load_policy, parse_policy
from schemas.record_batches import RecordKind
from tests.redact.canaries import (
    CANARIES,
    DISGUISES,
    LABELLED,
    everywhere,
    planted,
    said_as_feedback,
)
from tests.redact.kit import KEYS, NOW, decoded, minimal, rows
from tests.redact.leaks import SHARED, Figures, conversations, measure


@lru_cache
def engine(model: str = "none") -> PolicyRedactor:
    """Return the engine of the default policy, with or without the model for names."""
    policy = load_policy("strict")
    names = policy.names.model_copy(update={"model": model})
    built = build_redactor(policy.model_copy(update={"names": names}), KEYS)
    assert isinstance(built, PolicyRedactor)
    return built


def written(records: list[dict[str, Any]], kind: RecordKind = RecordKind.TRACE) -> str:
    """Return all that is written of records: rows, quarantine, counters."""
    outcome = engine().redact(decoded(records, kind), ingested_at=NOW)
    sealed = Sealer(KEYS.fingerprint, "p").seal(outcome.rejected, ingested_at=NOW)
    everything = [rows(outcome), sealed.value.to_pylist(), engine().statistics()]
    return json.dumps([*everything, repr(outcome)], default=str, ensure_ascii=False)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("kind", [*CANARIES, *LABELLED])
def test_no_canary_is_left_anywhere(
    kind: str, disguise: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A value in any field and any disguise is gone from all that is written, logs included."""
    text_in, value, hidden = planted(kind, disguise)
    with caplog.at_level(logging.DEBUG):
        text = written([everywhere(text_in)])
    assert value not in text
    assert hidden not in text
    assert value not in caplog.text


def test_no_canary_is_left_of_feedback() -> None:
    """The same holds for what people write as feedback."""
    values = [*CANARIES.values()]
    records = [said_as_feedback(value) for value in values]
    text = written(records, RecordKind.FEEDBACK)
    assert [value for value in values if value in text] == []


def test_base64_is_read_when_the_policy_asks() -> None:
    """Text in base64 is scanned, and replaced entirely."""
    hidden = base64.b64encode(b"mail zora.quill@example.com now").decode()
    policy = parse_policy("extends: strict\nname: deep\ndecode_base64: true\n", "deep")
    built = build_redactor(_without_model(policy), KEYS)
    outcome = built.redact(decoded([minimal(response=f"see {hidden} ok")]), ingested_at=NOW)
    assert hidden not in json.dumps(rows(outcome), default=str)


def _without_model(policy: RedactionPolicy) -> RedactionPolicy:
    names = policy.names.model_copy(update={"model": "none"})
    return policy.model_copy(update={"names": names})


HARMLESS = (
    "Flight HAT136 from JFK to SEA on May 20th, 07:00 PM, $152, 14 seats left.",
    "Your reservation WUNA5K was paid with gift_card_5094406 and certificate_7504069.",
    "Order #W2378156, item 1656367028, SKU 9523456873, total 2,341.50 USD.",
    "Version 3.11.4 was released on 2024-05-15T15:00:00 with 1,234,567 downloads.",
    "The model gpt-4o-2024-08-06 used 1255 input tokens in 1739 ms.",
)


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_numbers_survive(text: str) -> None:
    """Flights, reservations, orders, items, versions and amounts are no personal data."""
    assert (
        rows(engine().redact(decoded([minimal(response=text)]), ingested_at=NOW))[0]["response"]
        == text
    )


@lru_cache
def figures() -> Figures:
    """Measure conversations that nothing was fitted on, under the policy as it is by default."""
    subjects = json.loads((SHARED / "subjects.json").read_text(encoding="utf-8"))
    return measure(engine("shipped"), conversations(SHARED, 2), subjects)


needs_data = pytest.mark.skipif(
    not (SHARED / "airline.jsonl").exists(), reason="the shared data is not beside the checkout"
)


@needs_data
@pytest.mark.parametrize("kind", ["EMAIL", "BIRTH_DATE", "ADDRESS", "USER_ID"])
def test_identifiers_of_real_users_are_gone(kind: str) -> None:
    """E-mail, birth date, address and user id: all of them, everywhere."""
    assert Path(SHARED).exists()
    assert sum(n for (k, _), n in figures().there.items() if k == kind) > 100
    assert figures().covered(kind) == 1.0


@needs_data
@pytest.mark.parametrize(("place", "least"), [("tool", 0.99), ("assistant", 0.97), ("user", 0.90)])
def test_names_of_real_users_are_gone(place: str, least: float) -> None:
    """Names in results of tools, in answers, and in what users write themselves."""
    assert figures().there["NAME", place] > 100
    assert figures().covered("NAME", place) >= least


@needs_data
def test_little_harmless_text_is_replaced() -> None:
    """At most 0.05 % of all words are replaced without being personal, and nothing is refused."""
    assert figures().tokens > 100_000
    assert figures().harmless_share <= 0.0005
    assert figures().rejected == 0
