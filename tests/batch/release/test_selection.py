"""A selection follows the spec, is repeatable, and keeps conversations and users together."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from batch.release.format.rows import ReleaseRow, json_rows
from lake.tables import Lake
from schemas.errors import UsageError
from tests.batch.release.kit import selected
from tests.batch.release.world import add, conversations, label, make_lake
from tests.short_versions import short

Rows = list[ReleaseRow]


def rows_of(lake: Lake, **changes: Any) -> Rows:
    """Return the rows that a spec selects, as JSON values."""
    return json_rows(selected(lake, **changes).rows)


@pytest.fixture(scope="module")
def plain_rows(conversation_lake: Lake) -> Rows:
    """What the spec of the tests selects, as it is."""
    return rows_of(conversation_lake)


def test_one_per_conversation_and_as_many_as_asked(plain_rows: Rows) -> None:
    """No conversation gives two rows, and the size is met where there are enough."""
    assert len(plain_rows) == 40
    assert max(Counter(row["session_id"] for row in plain_rows).values()) == 1


def test_one_per_user(conversation_lake: Lake) -> None:
    """No user gives two rows."""
    found = rows_of(conversation_lake, one_per="user", size=30)
    assert max(Counter(row["user_id"] for row in found).values()) == 1


def test_the_label_is_that_of_the_highest_revision(tmp_path: Path) -> None:
    """Of several label events the highest revision decides, both in strata and in the rows."""
    traces = conversations(1)
    events = [label(t, 0.1, revision=r) for t in traces for r in (1, 3)]
    events += [label(t, 0.9, revision=2) for t in traces]
    last = [label(t, 0.95, revision=4, expected_response="so") for t in traces[:5]]
    lake = make_lake(tmp_path, traces, [*events, *last])
    found = rows_of(lake, size=8, one_per="trace", strata=["label"])
    failed = {t["trace_id"] for t in traces[:5]}
    assert {row["label"] == "fail" for row in found if row["trace_id"] in failed} == {True}
    assert {row["label"] for row in found if row["trace_id"] not in failed} == {"pass"}
    assert {row["expected_response"] for row in found if row["label"] == "fail"} == {"so"}


def test_filters_and_requirements(conversation_lake: Lake) -> None:
    """Only traces that fit `where`, `labels` and the window are selected."""
    found = rows_of(
        conversation_lake,
        where={"segments.plan": ["gold"], "latency_ms": {"max": 800}},
        labels={"accept": ["pass", "fail"], "min_confidence": 0.8},
        strata=["label"],
        size=12,
    )
    assert found
    for row in found:
        assert row["segments"] == {"plan": "gold"}
        assert row["latency_ms"] is not None
        assert row["latency_ms"] <= 800
        assert row["label"] in {"pass", "fail"}
        assert row["confidence"] is not None
        assert row["confidence"] >= 0.8


def test_the_window_ends_before_its_end(conversation_lake: Lake) -> None:
    """Traces from the start on, and before the end."""
    found = rows_of(
        conversation_lake, window={"from": "2026-11-02T06:00:00", "to": "2026-11-03"}, size=14
    )
    starts = [row["started_at"] for row in found]
    assert min(starts) >= "2026-11-02T06:00:00"
    assert max(starts) < "2026-11-03"


def test_only_rows_of_accepted_redaction_policies(tmp_path: Path) -> None:
    """Rows of another policy are left out and counted; a trace named by the spec is refused."""
    traces = conversations(2)
    lake = make_lake(tmp_path, traces[:100], [])
    add(lake, "traces", traces[100:], policy="policy-b")
    found = selected(lake, redaction_policies=["policy-b"], size=8, strata=[], allocation={})
    assert set(found.rows["_policy"].to_pylist()) == {"policy-b"}
    assert found.refused == 100
    named = traces[0]["trace_id"]
    with pytest.raises(UsageError, match="must_include number 1"):
        selected(lake, redaction_policies=["policy-b"], must_include=[named])


def test_named_traces_are_in_and_their_conversations_give_no_other(
    conversation_lake: Lake, plain_rows: Rows
) -> None:
    """Must-include and adversarial traces may be of any time, and have no weight."""
    first, second = plain_rows[:2]
    found = rows_of(
        conversation_lake,
        must_include=[first["trace_id"]],
        adversarial=[second["trace_id"]],
        window={"from": "2026-11-05", "to": "2026-11-06"},
        size=15,
    )
    drawn = {row["trace_id"]: row["drawn"] for row in found}
    assert drawn[first["trace_id"]] == "must_include"
    assert drawn[second["trace_id"]] == "adversarial"
    named = [row for row in found if row["drawn"] != "sample"]
    assert all(row["weight"] is None for row in named)
    assert max(Counter(row["session_id"] for row in found).values()) == 1


def test_a_missing_named_trace_is_reported_by_its_number(
    conversation_lake: Lake, plain_rows: Rows
) -> None:
    """The error has the numbers of the entries and does not quote them."""
    with pytest.raises(UsageError, match="must_include number 2") as raised:
        selected(
            conversation_lake,
            must_include=[plain_rows[0]["trace_id"], "mia.li@example.com"],
        )
    assert "mia" not in str(raised.value)


def test_a_trace_that_was_sent_twice_counts_once(tmp_path: Path) -> None:
    """Of a trace that was sent twice the first one counts, and the total is right."""
    traces = conversations(1)
    lake = make_lake(tmp_path, traces, [])
    add(lake, "traces", [{**t, "response": "second"} for t in traces])
    found = selected(lake, one_per="trace", size=len(traces), strata=[], allocation={})
    assert len(found.rows) == len(traces)
    assert sum(found.rows["weight"].to_pylist()) == pytest.approx(len(traces))
    assert "second" not in found.rows["response"].to_pylist()


@pytest.mark.parametrize("seeds", short([range(2), range(2, 40)], [range(2)]), ids=str)
def test_no_stratum_that_exists_is_empty(conversation_lake: Lake, seeds: range) -> None:
    """Every existing combination has a row, over many seeds, though conversations are shared."""
    for seed in seeds:
        found = selected(
            conversation_lake, seed=seed, strata=["label", "segments.plan", "status"], size=60
        )
        assert all(share.rows > 0 for share in found.draws)


def test_no_conversation_or_user_is_on_both_sides(conversation_lake: Lake) -> None:
    """No conversation and no user has rows on both sides of the holdout line; both sides exist."""
    found = rows_of(conversation_lake, one_per="trace", size=300)
    for key in ("session_id", "user_id"):
        sides: dict[object, set[str]] = {}
        for row in found:
            sides.setdefault(dict(row)[key], set()).add(row["split"])
        assert all(len(seen) == 1 for seen in sides.values())
    assert {row["split"] for row in found} == {"development", "holdout"}


def test_a_user_stays_on_their_side_whatever_is_drawn(conversation_lake: Lake) -> None:
    """Another draw, another size: the same users are held out."""
    one, two = (
        rows_of(conversation_lake, seed=s, size=n, one_per="trace") for s, n in ((1, 100), (2, 200))
    )
    sides = {row["user_id"]: row["split"] for row in one}
    both = [row for row in two if row["user_id"] in sides]
    assert len(both) > 50
    assert all(sides[row["user_id"]] == row["split"] for row in both)


def test_the_seed_decides(conversation_lake: Lake, plain_rows: Rows) -> None:
    """The same seed gives the same rows in the same order; another seed gives others."""
    assert rows_of(conversation_lake) == plain_rows
    ids = {row["trace_id"] for row in plain_rows}
    assert {row["trace_id"] for row in rows_of(conversation_lake, seed=1)} != ids


def test_weights_add_up_to_production(conversation_lake: Lake) -> None:
    """In each stratum the weights of the rows add up to the traces of the stratum."""
    found = selected(conversation_lake, near_duplicates={})
    weights: defaultdict[str | None, float] = defaultdict(float)
    for row in json_rows(found.rows):
        weights[row["stratum"]] += row["weight"] or 0.0
    for share in found.draws:
        name = ", ".join(f"{k}={v}" for k, v in share.stratum.values.items())
        assert weights[name] == pytest.approx(share.stratum.traces)


def test_near_duplicates_are_replaced(conversation_lake: Lake) -> None:
    """Repeated conversations are left out; no stratum is left empty."""
    found = selected(conversation_lake, near_duplicates={"threshold": 0.85})
    assert sum(found.rows["near_duplicates"].to_pylist()) > 0
    assert all(share.rows > 0 for share in found.draws)


def test_nothing_fits(conversation_lake: Lake) -> None:
    """If no trace fits, the error says what could be widened."""
    with pytest.raises(UsageError, match="no trace fits the spec"):
        selected(conversation_lake, where={"app": ["no-such-app"]})
