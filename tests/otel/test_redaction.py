"""Nothing personal of a span is stored, wherever it stands; what is not personal stays."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembly.contract_records import make_batch
from otel.assembly import assemble_trace
from otel.signals import DecodedSignals
from redact.crypto.keys import Keys
from redact.crypto.pseudonyms import Pseudonyms
from redact.identities.identity import IdentityValue
from redact.identities.taught_values import TaughtValues, mark_identities
from redact.pipeline.factory import build_redactor
from redact.policies.policy import load_policy
from schemas.assembly_columns import AssemblyFacts
from schemas.record_batches import DecodedBatch, RawRecord, RecordKind
from schemas.records import Trace
from tests.otel.captures import CAPTURES, ENCODINGS, OTLP_SOURCES, read_records
from tests.otel.make_spans import TRACE, chat, messages, span
from tests.otel.planted_values import (
    PLACES,
    VALUES,
    all_text,
    batch_of,
    decoys,
    engine,
    nested,
    planted,
    redacted_rows,
    secret_part,
)
from tests.otel.stored_rows import from_stored_spans
from tests.redact.kit import KEYS, NOW
from tests.short_versions import short

EVERYTHING = sorted({*CAPTURES, *((s, e) for s in OTLP_SOURCES for e in ENCODINGS)})
ALWAYS = {*CAPTURES, *(("otel_openai_v2_2.0b0_events", encoding) for encoding in ENCODINGS)}
"""Each source in one encoding, and one source in all; `make chaos` searches the others too."""


@pytest.mark.parametrize(
    ("source", "encoding"),
    short(EVERYTHING, ALWAYS),
)
def test_no_planted_value_of_a_capture_is_stored(source: str, encoding: str) -> None:
    """Of the values that the truth knows none is left in any column; 98 % of the decoys are."""
    rows, before = [], []
    signal_format = encoding.removeprefix("native_").split(".")[0]
    for offset, signals in enumerate(read_records(source, encoding)):
        batch = batch_of(
            signals, signal_format if encoding.startswith("native_") else "otlp", offset
        )
        before += [msgspec.to_builtins(record) for record in batch.records]
        outcome = engine().redact(batch, ingested_at=NOW)
        assert outcome.rejected == []
        rows += outcome.rows.value.to_pylist()
    old, new = all_text(before), all_text(_without_times(rows))
    there = [value for value in planted(source) if value in old]
    assert len(there) > 20
    assert [value for value in there if value in new] == []
    kept = sum(new.count(value) for value in decoys(source))
    assert kept >= 0.98 * sum(old.count(value) for value in decoys(source))
    assert kept > 0


def _without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in row.items() if k not in ("event_date", "_ingested_at")} for row in rows
    ]


@given(
    value=st.sampled_from(VALUES),
    place=st.sampled_from(sorted(PLACES)),
    depth=st.integers(0, 3),
)
@settings(max_examples=80, derandomize=True)
def test_a_personal_value_is_gone_from_every_place(value: str, place: str, depth: int) -> None:
    """Mail, numbers and users in paths: in attributes, names, events, links, keys, three deep."""
    rows = redacted_rows(PLACES[place](value, depth))
    assert secret_part(value) not in all_text(_without_times(rows))


@given(
    user=st.sampled_from(["u7", "42", "anna", "1042", "1234567", "mia@x.example", "mia_li_3668"]),
    key=st.sampled_from(
        [
            "user.id",
            "enduser.id",
            "langfuse.user.id",
            "traceloop.association.properties.user_id",
            "info.trace_metadata.mlflow.trace.user",
            "langsmith.metadata.user_id",
        ]
    ),
    depth=st.integers(0, 2),
)
@settings(max_examples=60, derandomize=True)
def test_the_id_of_a_user_is_gone_wherever_it_stands(user: str, key: str, depth: int) -> None:
    """Whatever its form: the column has the pseudonym of a contract record, texts a stand-in."""
    marks = {"mlflow.spanType": "X"} if "mlflow" in key else {}
    marks |= {"langsmith.span.kind": "llm"} if "langsmith" in key else {}
    marks |= {"traceloop.span.kind": "workflow"} if "traceloop" in key else {}
    rows = redacted_rows(
        span(1, attributes={key: user, **marks}),
        span(2, 1, attributes={"tool.input": nested(json.dumps({"customer": user}), depth)}),
    )
    assert rows[0]["user_id"] == engine().segmenter.pseudonyms.identifier("USER_ID", user)
    assert f'"{user}"' not in all_text([{"a": r["attributes"]} for r in rows])


@pytest.mark.parametrize("user", [1042771, "1042771"])
def test_a_number_as_users_id_is_gone_under_any_key(user: Any) -> None:
    """As a number and as a string, in other spans of its record and in the assembled row."""
    said = json.dumps({"place": int(user), "list": [str(user)], "text": f"to {user}!"})
    named = {"user.id": user, "openinference.span.kind": "CHAIN"}
    rows = redacted_rows(
        span(1, attributes=named), span(2, 1, attributes={"seen": said, "n": user})
    )
    assert "1042771" not in all_text([{"attributes": row["attributes"]} for row in rows])
    elsewhere = redacted_rows(chat(3, 1, said=said, answer=f"Bye {user}"))
    assert "1042771" in all_text(elsewhere)
    [row] = (
        engine()
        .redact_again(_assembled([*rows, *elsewhere]), ingested_at=NOW)
        .rows.value.to_pylist()
    )
    assert "1042771" not in all_text([{"messages": row["messages"], "response": row["response"]}])


def test_spans_of_one_trace_learn_from_each_other_and_others_do_not() -> None:
    """A name that one span states is gone from the texts of its trace in the same record only."""
    stated = span(1, attributes={"app.tool.result": json.dumps({"full_name": "Zyta Qwirk"})})
    said = span(2, 1, attributes={"note": "ask zyta about it"})
    other = span(3, attributes={"note": "ask zyta about it"}, trace_id="f" * 32)
    for order in ((stated, said, other), (other, said, stated)):
        notes = {
            r["trace_id"]: r["attributes"]
            for r in redacted_rows(*order)
            if "ask" in r["attributes"]
        }
        assert "zyta" not in notes[TRACE]
        assert "zyta" in notes["f" * 32]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_batches_do_not_change_what_is_learnt(size: int) -> None:
    """The rows of a Kafka record are the same, whatever other records are in the batch."""
    records = read_records("openinference_openai_0.1.66", "otlp_proto")[:10]
    alone, together = [], []
    for number, signals in enumerate(records):
        alone += _plain(batch_of(signals, offset=number))
    for start in range(0, len(records), size):
        batches = [
            batch_of(s, offset=start + n) for n, s in enumerate(records[start : start + size])
        ]
        together += _plain(_joined(batches))
    assert together == alone


def _plain(batch: DecodedBatch[Any]) -> list[Any]:
    engine().in_place(batch)
    return [msgspec.to_builtins(record) for record in batch.records]


def _joined(batches: list[DecodedBatch[Any]]) -> DecodedBatch[Any]:
    def all_of(name: str) -> list[Any]:
        return [item for batch in batches for item in getattr(batch, name)]

    names = ("records", "partitions", "offsets", "schema_ids", "raws", "indexes", "groups")
    return DecodedBatch(
        kind=RecordKind.SPAN, topic="otlp", **{name: all_of(name) for name in names}
    )


def _assembled(rows: list[dict[str, Any]]) -> DecodedBatch[Any]:
    """Return the trace of stored rows as the assembly hands it to redaction."""
    signals: DecodedSignals = from_stored_spans(rows)
    trace = assemble_trace(TRACE, signals.spans, signals.logs)
    assert trace.row is not None
    taught = tuple(row["taught"] for row in rows if row["taught"])
    return DecodedBatch(
        kind=RecordKind.TRACE,
        topic="#assembly",
        records=[msgspec.convert(dict(trace.row), Trace)],
        partitions=[0],
        offsets=[0],
        schema_ids=[""],
        raws=[RawRecord(0, 0, -1, None, None)],
        assembly=[AssemblyFacts(1, "m", taught=taught)],
    )


def test_an_assembled_row_knows_what_all_its_records_taught() -> None:
    """A name that only another Kafka record of the trace states is gone from the assembled row."""
    person = json.dumps({"full_name": "Zyta Qwirk", "account_number": "83726154"})
    first = redacted_rows(
        span(1, attributes={"openinference.span.kind": "CHAIN", "app.tool.result": person})
    )
    said = "tell zyta that Qwirk's number 83726154 is fine"
    second = redacted_rows(chat(2, 1, said=said, answer="Zyta knows."))
    assert "zyta" in all_text(second)
    batch = _assembled([*first, *second])
    outcome = engine().redact_again(batch, ingested_at=NOW)
    [row] = outcome.rows.value.to_pylist()
    text = all_text([{"messages": row["messages"], "response": row["response"]}])
    assert [v for v in ("zyta", "Zyta", "Qwirk", "83726154") if v in text] == []
    assert row["_policy"] == engine().policy_hash
    [entry] = outcome.audit
    assert "messages[].content" in {each.path for each in entry.positions}
    assert entry.fingerprint is not None


def test_the_second_pass_keeps_what_the_first_made() -> None:
    """Stand-ins and the pseudonym of the user stay, and a third pass changes nothing more."""
    said = "I am Mia Li, mia.li@mail.example.com, password: hunter2-Fjord!, user mia_li_3668"
    rows = redacted_rows(
        chat(1, said=said, attributes={"user.id": "mia_li_3668"}),
        span(2, 1, attributes={"gen_ai.input.messages": messages(("user", "Mia again"))}),
    )
    batch = _assembled(rows)
    before = msgspec.to_builtins(batch.records[0])
    engine().redact_again(batch, ingested_at=NOW)
    after = msgspec.to_builtins(batch.records[0])
    assert after == before
    assert after["user_id"] == rows[0]["user_id"]


@pytest.mark.parametrize(("source", "encoding"), short(CAPTURES, CAPTURES[-2:]))
def test_rows_of_the_captures_are_unchanged_by_another_pass(source: str, encoding: str) -> None:
    """Redacting the redacted changes nothing, and keeps every stand-in of the first pass."""
    by_trace: dict[str, list[dict[str, Any]]] = {}
    native = encoding.startswith("native_")
    for offset, signals in enumerate(read_records(source, encoding)):
        name = encoding.removeprefix("native_").split(".")[0] if native else "otlp"
        outcome = engine().redact(batch_of(signals, name, offset), ingested_at=NOW)
        for row in outcome.rows.value.to_pylist():
            by_trace.setdefault(row["trace_id"], []).append(row)
    again = 0
    for trace_id, rows in list(by_trace.items())[:25]:
        signals = from_stored_spans(rows)
        trace = assemble_trace(trace_id, signals.spans, signals.logs)
        if trace.row is None:
            continue
        taught = tuple(row["taught"] for row in rows if row["taught"])
        record = msgspec.convert(dict(trace.row), Trace)
        _pass_twice(record, taught)
        again += 1
    assert again > 5


def _pass_twice(record: Trace, taught: tuple[str, ...]) -> None:
    texts = []
    for _ in range(2):
        batch = _assembled_batch(record, taught)
        before = set(_tokens(record))
        assert engine().redact_again(batch, ingested_at=NOW).rejected == []
        assert before <= set(_tokens(record))
        texts.append(msgspec.json.encode(record))
    assert texts[0] == texts[1]


def _tokens(record: Trace) -> list[str]:
    text = msgspec.json.encode(record).decode()
    return [text[start:end] for start, end in engine().segmenter.pseudonyms.own_placeholders(text)]


@given(st.lists(st.sampled_from(["Zyta Qwirk", "Jo Ann O'Brien", "Siobhán Neill"]), min_size=1))
def test_marks_find_the_forms_of_a_name_and_no_others(names: list[str]) -> None:
    """Each written form is found in another text; ordinary words and other names are not."""
    mark = engine().segmenter.pseudonyms.word_mark
    marks = mark_identities([IdentityValue("PERSON", name) for name in names], mark)
    assert marks is not None
    assert not any(name.split()[0].lower() in marks for name in names)
    found = TaughtValues(mark).find([marks], [f"so {names[0].upper()}'s bag, and anybody else"])
    assert names[0].upper() in {identity.value for identity in found}
    assert not any("anybody" in identity.value for identity in found)
    assert TaughtValues(lambda words: f"other {words}").find([marks], names) == frozenset()
    assert KEYS.key_id == "k1"


def test_pseudonyms_of_an_app_are_those_of_its_service() -> None:
    """Under a policy with a scope of apps, a span's user has the pseudonym of that app's traces."""
    policy = load_policy("strict")
    names = policy.names.model_copy(update={"model": "none"})
    built = build_redactor(policy.model_copy(update={"scope": "app", "names": names}), KEYS)
    signals = DecodedSignals(
        spans=(span(1, attributes={"user.id": "u7"}, resource={"service.name": "shop"}),)
    )
    [row] = built.redact(batch_of(signals), ingested_at=NOW).rows.value.to_pylist()
    assert row["user_id"] == Pseudonyms(KEYS).identifier("USER_ID", "u7", "shop")
    assert row["user_id"] != Pseudonyms(KEYS).identifier("USER_ID", "u7")


@pytest.mark.parametrize("seed", range(6))
def test_no_key_makes_stand_ins_that_look_personal(seed: int) -> None:
    """Under any key nothing of the captures is refused, neither in the first pass nor after it."""
    policy = load_policy("strict")
    names = policy.names.model_copy(update={"model": "none"})
    keys = Keys.derive(bytes([seed]) * 32)
    built = build_redactor(policy.model_copy(update={"names": names}), keys)
    for source, encoding in CAPTURES[seed::6]:
        if encoding.startswith("native_"):
            continue
        rows: list[dict[str, Any]] = []
        for offset, signals in enumerate(read_records(source, encoding)[:12]):
            outcome = built.redact(batch_of(signals, offset=offset), ingested_at=NOW)
            assert outcome.rejected == []
            rows += outcome.rows.value.to_pylist()
        for trace_id in {row["trace_id"] for row in rows}:
            of_trace = [row for row in rows if row["trace_id"] == trace_id]
            stored = from_stored_spans(of_trace)
            trace = assemble_trace(trace_id, stored.spans, stored.logs)
            if trace.row is not None:
                taught = tuple(row["taught"] for row in of_trace if row["taught"])
                again = _assembled_batch(msgspec.convert(dict(trace.row), Trace), taught)
                assert built.redact_again(again, ingested_at=NOW).rejected == []


def _assembled_batch(record: Trace, taught: tuple[str, ...]) -> DecodedBatch[Trace]:
    return make_batch(RecordKind.TRACE, [record], [AssemblyFacts(1, "m", taught=taught)])
