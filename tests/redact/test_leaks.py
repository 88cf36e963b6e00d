"""Nothing of what is planted or known of a person is left: the promise of redaction.

Canaries of every type are planted in every text field and every disguise; and the traces of real
conversations are searched for all that is known of their users.
"""

import base64
import json
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from redact.build import build_redactor
from redact.engine import PolicyRedactor
from redact.policy import Policy, load_policy, parse_policy
from redact.quarantine import Sealer
from schemas.provenance import RecordKind
from tests.redact.kit import KEYS, NOW, decoded, minimal, rows
from tests.redact.leaks import SHARED, Figures, conversations, measure

CANARIES = {
    "EMAIL_ADDRESS": "zora.quill@example.com",
    "internal mail": "zora@mail.corp.internal",
    "PHONE_NUMBER": "+1 212 555 0187",
    "CREDIT_CARD": "4012 8888 8888 1881",
    "US_SSN": "536-90-4399",
    "IBAN_CODE": "DE89370400440532013000",
    "IP_ADDRESS": "203.0.113.77",
    "IPv6": "2001:db8:85a3::8a2e:370:7334",
    "MAC_ADDRESS": "00:1A:2B:3C:4D:5E",
    "STREET_ADDRESS": "4821 Juniper Lane",
    "SECRET": "sk-Zq8vT2mN4xR6wL1pK9sD",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "GitHub": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
    "DSN": "postgres://zora:Pa55w0rd@db.example.com:5432/app",
}
AROUND = ("in escaped JSON", "after a literal newline")
"""Disguises of the text around a value."""

LABELLED = {
    "DATE_OF_BIRTH": ("date of birth: ", "1987-11-23"),
    "password": ("password: ", "Tr0ub4dor&3x"),
    "USER_ID": ("my user id is ", "zora_quill_4821"),
    "PERSON": ("My name is ", "Zora Quill"),
}

DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": lambda v: v,
    "full width": lambda v: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in v),
    "zero width": "\u200b".join,
    "soft hyphen": lambda v: v[:3] + "\u00ad" + v[3:],
    "percent": lambda v: quote(v, safe=""),
    "all percent": lambda v: "".join(f"%{ord(c):02x}" for c in v),
    "unicode escapes": lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    "entities": lambda v: "".join(f"&#{ord(c)};" for c in v),
    "in escaped JSON": lambda v: json.dumps(json.dumps({"note": f"see {v} there"})),
    "after a literal newline": lambda v: f"line\\n{v}\\nline",
}


@lru_cache
def engine(model: str = "none") -> PolicyRedactor:
    """Return the engine of the default policy, with or without the model for names."""
    policy = load_policy("strict")
    names = policy.names.model_copy(update={"model": model})
    built = build_redactor(policy.model_copy(update={"names": names}), KEYS)
    assert isinstance(built, PolicyRedactor)
    return built


def everywhere(text: str) -> dict[str, Any]:
    """Return a trace that says a text in every field that may hold one."""
    call = {"id": "c", "name": "f", "arguments": json.dumps({"q": text})}
    return minimal(
        error_message=text,
        response=text,
        messages=[
            {"role": "user", "content": text},
            {"role": "tool", "content": json.dumps([{"deep": {"er": text}}]), "name": text},
            {"role": "assistant", "content": f"so: {text}", "tool_calls": [call]},
        ],
        retrieved=[{"document_id": "d", "text": text}],
        tool_calls=[call | {"result": text, "error": text}],
        attributes={"note": text, text: "x"},
        segments={"s": text},
    )


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
    label, value = ("", CANARIES[kind]) if kind in CANARIES else LABELLED[kind]
    hidden = DISGUISES[disguise](value)
    said = DISGUISES[disguise](label + value) if disguise in AROUND else label + hidden
    with caplog.at_level(logging.DEBUG):
        text = written([everywhere(f"{said} ok")])
    assert value not in text
    assert hidden not in text
    assert value not in caplog.text


def test_no_canary_is_left_of_feedback() -> None:
    """The same holds for what people write as feedback."""
    values = [*CANARIES.values()]
    records = [
        {
            "feedback_id": "f",
            "trace_id": "t",
            "kind": "comment",
            "comment": f"about {value} there",
            "corrected_response": value,
            "actor": "end_user",
            "occurred_at": NOW,
            "attributes": {"a": value},
        }
        for value in values
    ]
    text = written(records, RecordKind.FEEDBACK)
    assert [value for value in values if value in text] == []


def test_base64_is_read_when_the_policy_asks() -> None:
    """Text in base64 is looked into, and replaced as a whole."""
    hidden = base64.b64encode(b"mail zora.quill@example.com now").decode()
    policy = parse_policy("extends: strict\nname: deep\ndecode_base64: true\n", "deep")
    built = build_redactor(_without_model(policy), KEYS)
    outcome = built.redact(decoded([minimal(response=f"see {hidden} ok")]), ingested_at=NOW)
    assert hidden not in json.dumps(rows(outcome), default=str)


def _without_model(policy: Policy) -> Policy:
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
    """Measure the conversations that nothing was fitted on."""
    subjects = json.loads((SHARED / "subjects.json").read_text(encoding="utf-8"))
    return measure(engine(), conversations(SHARED, 2), subjects)


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
def test_little_harmless_text_is_taken_along() -> None:
    """At most 1.5 % of all words are replaced without being personal, and nothing is refused."""
    assert figures().tokens > 100_000
    assert figures().harmless_share <= 0.015
    assert figures().rejected == 0
