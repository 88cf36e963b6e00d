"""The residual scan finds what the detectors miss, and the audit trail has no gap."""

import json
from random import Random
from typing import Any

import pytest

from redact.field_keys.key_book import KeyBook
from redact.identities.identity import IdentityValue
from redact.pipeline.audit import build_audit_rows, chain_hash
from redact.pipeline.jsonl import LineRedactor
from redact.pipeline.policy_redactor import PolicyRedactor
from redact.pipeline.redactor import FOUND_BY_PROOF
from redact.policies.policy import load_policy
from redact.rendering.residual_scan import ResidualScanner
from redact.reports.redaction_report import RedactionTally, render_report
from schemas.arrow import TABLES
from tests.redact.canaries import CANARIES
from tests.redact.kit import KEYS, NOW, content, decoded, minimal, needs_pure_python, rows, said
from tests.redact.test_leaks import engine


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> PolicyRedactor:
    """Return an engine whose detectors find nothing at all."""
    needs_pure_python()
    redactor = PolicyRedactor(_policy(), KEYS, audit=True)
    monkeypatch.setattr(redactor.segmenter.detector, "find", lambda _text: [])
    return redactor


def _policy() -> Any:
    policy = load_policy("strict")
    return policy.model_copy(update={"names": policy.names.model_copy(update={"model": "none"})})


@pytest.mark.parametrize(
    "kind", ["EMAIL_ADDRESS", "CREDIT_CARD", "US_SSN", "IBAN_CODE", "AWS", "GitHub", "JWT"]
)
def test_what_blind_detectors_leave_is_replaced_all_the_same(
    blind: PolicyRedactor, kind: str
) -> None:
    """The residual scan finds it: it is replaced in all of the record, counted, and audited."""
    value = CANARIES[kind]
    before = blind.statistics()
    record = minimal(
        messages=[{"role": "user", "content": f"see {value} ok"}],
        response=f"I see {value}.",
        attributes={"seen": value},
    )
    outcome = blind.redact(decoded([record, minimal()]), ingested_at=NOW)
    assert outcome.rejected == []
    assert value not in json.dumps(rows(outcome), default=str)
    assert content(outcome).endswith(" ok")
    counted = {
        name: count - before.get(name, 0)
        for name, count in blind.statistics().items()
        if name.startswith(FOUND_BY_PROOF)
    }
    assert sum(counted.values()) == 1
    assert [entry.counts[0].count for entry in outcome.audit if entry.counts] == [3]


def test_a_number_that_only_the_proof_found_becomes_a_string(blind: PolicyRedactor) -> None:
    """JSON stays JSON, and the text beside the value stays unchanged."""
    document = '{"seen": 4111111111111111, "order_id": 5379085494079950}'
    outcome = blind.redact(decoded([said(document, "tool")]), ingested_at=NOW)
    found = json.loads(content(outcome))
    assert found["seen"].startswith("<CREDIT_CARD")
    assert found["order_id"] == 5379085494079950


def test_ids_that_hold_something_personal_are_hashed() -> None:
    """The id of a session or a call becomes a pseudonym, the same everywhere."""
    call = {"id": "dial+14155550132", "name": "dial", "arguments": "{}"}
    record = minimal(
        session_id="ann@example.com",
        messages=[
            {"role": "assistant", "content": "ok", "tool_calls": [call]},
            {"role": "tool", "content": "ok", "tool_call_id": "dial+14155550132"},
        ],
    )
    outcome = engine().redact(decoded([record]), ingested_at=NOW)
    assert outcome.rejected == []
    row = rows(outcome)[0]
    assert row["session_id"].startswith("k1:")
    asked, answered = row["messages"]
    assert asked["tool_calls"][0]["id"] == answered["tool_call_id"] != "dial+14155550132"


def test_the_audit_says_which_ids_were_hashed() -> None:
    """An id that became a pseudonym is in the record's audit, with its path and type."""
    redactor = PolicyRedactor(_policy(), KEYS, audit=True)
    outcome = redactor.redact(decoded([minimal(session_id="ann@example.com")]), ingested_at=NOW)
    (position,) = outcome.audit[0].positions
    assert (position.path, position.type, position.operator) == (
        "session_id",
        "EMAIL_ADDRESS",
        "pseudonym",
    )


def test_a_record_that_is_named_by_something_personal_is_refused() -> None:
    """Commands and other programs name a record by its trace id, so it is not changed."""
    outcome = engine().redact(decoded([minimal(trace_id="mail:ann@example.com")]), ingested_at=NOW)
    assert [(r.reason, r.field) for r in outcome.rejected] == [("personal_id", "trace_id")]
    assert "ann@" not in repr([(r.reason, r.detail, r.field) for r in outcome.rejected])


def test_learnt_values_may_not_be_left() -> None:
    """A full name or an account that the record states is searched for in the output."""
    policy = load_policy("strict")
    prover = ResidualScanner(policy, KEYS.cache, KeyBook(policy.keys))
    learnt = [IdentityValue("PERSON", "Zora Quill"), IdentityValue("USER_ID", "zora_quill_1")]
    rules = policy.rules("redact")
    assert prover.left(["hello ZORA QUILL"], learnt, rules) == {learnt[0]}
    assert prover.left(["id zora_quill_1."], learnt, rules) == {learnt[1]}
    assert prover.left(["id zora_quill_12", "all fine"], learnt, rules) == set()


def test_what_an_output_does_not_hold_is_remembered_for_each_value_alone() -> None:
    """Records with other identities, rules or outputs are answered as by a new scanner."""
    policy = load_policy("strict")
    known = ResidualScanner(policy, KEYS.cache, KeyBook(policy.keys))
    random = Random(5)  # noqa: S311  # not for secrets
    values = [IdentityValue("PERSON", "Zora Quill"), IdentityValue("USER_ID", "zora_quill_1")]
    values += [
        IdentityValue("PERSON", "Ann Quill Zora"),
        IdentityValue("EMAIL_ADDRESS", "a@b.example"),
    ]
    pieces = ["Zora Quill", "zora_quill_1", "Ann", "Quill", "a@b.example", "x", "\n", "hello"]
    texts = [" ".join(random.choices(pieces, k=4)) for _ in range(30)]
    found = 0
    for _ in range(300):
        learnt = frozenset(random.sample(values, random.randrange(len(values))))
        outputs = random.sample(texts, random.randrange(1, 4))
        rules = policy.rules(random.choice(["redact", "redact_json"]))
        fresh = ResidualScanner(policy, KEYS.cache, KeyBook(policy.keys))
        expected = fresh.left(outputs, learnt, rules)
        assert known.left(outputs, learnt, rules) == expected
        found += len(expected)
    assert found > 100


def test_audit_rows_list_what_was_done_and_hold_no_value() -> None:
    """Counts by type and operator, places in the output, a keyed fingerprint, a chain."""
    redactor = PolicyRedactor(_policy(), KEYS, audit=True)
    text = "Mail ann@example.com or 212-555-0187."
    outcome = redactor.redact(decoded([said(text), said("nothing")]), ingested_at=NOW)
    boxed, last = build_audit_rows(
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
    """The hash covers everything in a row, and the row before."""
    row: dict[str, object] = {"_offset": 1, "counts": [["PERSON/mask", 1]]}
    assert chain_hash(row, "a") != chain_hash(row, "b")
    assert chain_hash(row, "a") != chain_hash(row | {"_offset": 2}, "a")


def test_the_report_counts_and_shows_no_value() -> None:
    """A page with what was replaced, kept and refused."""
    redactor = LineRedactor(_policy(), KEYS)
    lines = ['{"id": 1, "text": "ann@example.com on 2024-05-01"}', "broken ann@example.com"]
    tally = RedactionTally()
    for line in redactor.lines(lines):
        tally.add(line)
    page = render_report(tally, _policy(), policy_hash=redactor.policy_hash, made_at="today")
    assert "<td>EMAIL_ADDRESS</td><td>placeholder</td><td>1</td>" in page
    assert "<td>DATE_TIME</td><td>1</td>" in page
    assert "not a JSON object" in page
    assert "ann@" not in page
