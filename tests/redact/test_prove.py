"""The last look: what the detectors let through is found by others, and the trail has no gap."""

from typing import Any

import pytest

from redact.audit import audit_rows, chained
from redact.engine import PolicyRedactor
from redact.learn import Learnt
from redact.policy import load_policy
from redact.prove import Prover
from redact.report import Tally, report_page
from redact.text import LineRedactor
from schemas.arrow import TABLES
from tests.redact.canaries import CANARIES
from tests.redact.kit import KEYS, NOW, decoded, minimal, said
from tests.redact.test_leaks import engine


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> PolicyRedactor:
    """Return an engine whose detectors find nothing at all."""
    redactor = PolicyRedactor(_policy(), KEYS)
    detector = redactor._segmenter._analyser._detector
    monkeypatch.setattr(detector, "find", lambda _text: [])
    return redactor


def _policy() -> Any:
    policy = load_policy("strict")
    return policy.model_copy(update={"names": policy.names.model_copy(update={"model": "none"})})


@pytest.mark.parametrize(
    "kind", ["EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "IBAN_CODE", "AWS", "GitHub", "JWT"]
)
def test_what_blind_detectors_leave_is_set_aside(blind: PolicyRedactor, kind: str) -> None:
    """The record goes to quarantine, with the type as the only thing said of it."""
    value = CANARIES[kind]
    outcome = blind.redact(decoded([said(f"see {value} ok"), minimal()]), ingested_at=NOW)
    assert [r.reason for r in outcome.rejected] == ["residual_pii"]
    assert value not in repr(outcome.rejected)
    assert outcome.rows.value.num_rows == 1


def test_fields_that_nobody_redacts_are_looked_at() -> None:
    """An address in a field that is never personal by contract sets the record aside."""
    outcome = engine().redact(decoded([minimal(session_id="ann@example.com")]), ingested_at=NOW)
    assert [r.reason for r in outcome.rejected] == ["residual_pii"]


def test_learnt_values_may_not_be_left() -> None:
    """A full name or an account that the record itself gave away is looked for in the output."""
    policy = load_policy("strict")
    prover = Prover(policy, KEYS.cache)
    learnt = [Learnt("PERSON", "Zora Quill"), Learnt("USER_ID", "zora_quill_1")]
    rules = policy.rules("redact")
    assert prover.residual(["hello ZORA QUILL"], learnt, rules) == "PERSON"
    assert prover.residual(["id zora_quill_1."], learnt, rules) == "USER_ID"
    assert prover.residual(["id zora_quill_12", "all fine"], learnt, rules) is None


def test_audit_rows_tell_what_was_done_and_hold_no_value() -> None:
    """Counts by type and operator, places in the output, a keyed fingerprint, a chain."""
    redactor = PolicyRedactor(_policy(), KEYS, audit=True)
    text = "Mail ann@example.com or 212-555-0187."
    outcome = redactor.redact(decoded([said(text), said("nothing")]), ingested_at=NOW)
    boxed, last = audit_rows(
        outcome.audit, policy=redactor.policy_hash, ingested_at=NOW, previous=""
    )
    assert boxed.value.schema == TABLES["redactions"].arrow
    first, second = boxed.value.to_pylist()
    assert first["counts"] == [
        {"type": "EMAIL_ADDRESS", "operator": "placeholder", "count": 1},
        {"type": "PHONE_NUMBER", "operator": "placeholder", "count": 1},
    ]
    output = outcome.rows.value.to_pylist()[0]["messages"][0]["content"]
    spots = [output[p["start"] : p["end"]] for p in first["positions"]]
    assert [spot[:13] for spot in spots] == ["<EMAIL_ADDRES", "<PHONE_NUMBER"]
    assert {p["path"] for p in first["positions"]} == {"messages[].content"}
    assert "ann@" not in repr(boxed.value.to_pylist())
    assert (first["previous"], second["previous"], last) == ("", first["chain"], second["chain"])


def test_a_changed_audit_row_breaks_the_chain() -> None:
    """The hash covers all that a row says and the row before."""
    row: dict[str, object] = {"_offset": 1, "counts": [["PERSON/mask", 1]]}
    assert chained(row, "a") != chained(row, "b")
    assert chained(row, "a") != chained(row | {"_offset": 2}, "a")


def test_the_report_counts_and_shows_no_value() -> None:
    """A page with what was replaced, kept and refused."""
    redactor = LineRedactor(_policy(), KEYS, "text")
    lines = ['{"id": 1, "text": "ann@example.com on 2024-05-01"}', "broken ann@example.com"]
    tally = Tally()
    for line in redactor.lines(lines):
        tally.add(line)
    page = report_page(tally, _policy(), policy_hash=redactor.policy_hash, made_at="today")
    assert "<td>EMAIL_ADDRESS</td><td>placeholder</td><td>1</td>" in page
    assert "<td>DATE_TIME</td><td>1</td>" in page
    assert "not a JSON object" in page
    assert "ann@" not in page
