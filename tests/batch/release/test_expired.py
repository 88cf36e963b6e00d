"""A release is drawn from days without expired data, or says which days are missing."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from batch.release.format.rows import json_rows
from batch.release.format.version import FIRST_VERSION
from batch.release.pages.datasheet import datasheet_blocks
from batch.release.pages.markup import render_markdown
from batch.release.publish.build import publish_draft
from batch.retention.run import RetentionRun
from lake.tables import Lake
from schemas.errors import UsageError
from tests.batch.release.kit import drafted, open_repository
from tests.batch.release.world import conversations, labels_for, make_lake
from tests.batch.retention.kit import means

WHOLE = date(2026, 11, 4)
SINCE: dict[str, Any] = {"window": {"from": "2026-11-04", "to": "2026-12-01"}}


@pytest.fixture
def six_day_lake(tmp_path: Path) -> Lake:
    """Six days of conversations, half of the traces with a label."""
    traces = conversations(4)
    return make_lake(tmp_path / "lake", traces, labels_for(traces))


def expire(lake: Lake, table: str = "traces", /, **until: date) -> None:
    """Make parts of a table expire."""
    assert list(RetentionRun.of(lake, table, until, means()).run())


def days(made: Any) -> set[date]:
    """Return the days on which the traces of a draft started."""
    return {moment.date() for moment in made.rows["started_at"].to_pylist()}


@pytest.mark.parametrize("part", ["rows", "text", "pseudonyms"])
def test_a_window_that_reaches_back_too_far_is_refused(six_day_lake: Lake, part: str) -> None:
    """The error has the first complete day and the number of traces concerned."""
    expire(six_day_lake, **{part: WHOLE})
    with pytest.raises(UsageError, match=r"of days before 2026-11-04 have expired \(\d+ of"):
        drafted(six_day_lake)
    assert min(days(drafted(six_day_lake, **SINCE))) == WHOLE


def test_days_are_left_out_where_the_spec_says_so(six_day_lake: Lake) -> None:
    """Population, datasheet and manifest cover the remaining days, and say so."""
    expire(six_day_lake, text=WHOLE)
    made = drafted(six_day_lake, expired="leave_out")
    assert min(days(made)) == WHOLE
    said = made.rows["messages"].to_pylist()
    assert all(any(message["content"] for message in messages) for messages in said)
    narrow = drafted(six_day_lake, **SINCE)
    assert made.facts["population"] == narrow.facts["population"]
    assert made.facts["rows"] == narrow.facts["rows"]
    gone = made.facts["expired"]
    assert gone["whole_from"] == "2026-11-04"
    assert gone["traces_left_out"] > 0
    page = render_markdown(
        datasheet_blocks(made.facts, str(FIRST_VERSION), None, json_rows(made.rows))
    )
    assert "Only days from 2026-11-04 on" in page
    assert "expired" not in narrow.facts


def test_expired_users_matter_with_a_holdout(six_day_lake: Lake) -> None:
    """Without a holdout, and with one row per conversation, they do not matter."""
    expire(six_day_lake, pseudonyms=WHOLE)
    assert min(days(drafted(six_day_lake, holdout=None))) < WHOLE
    with pytest.raises(UsageError, match="have expired"):
        drafted(six_day_lake, holdout=None, one_per="user")


def test_expired_labels_matter_too(six_day_lake: Lake) -> None:
    """Otherwise traces would seem to have none."""
    expire(six_day_lake, "labels", rows=WHOLE)
    with pytest.raises(UsageError, match="2026-11-04"):
        drafted(six_day_lake)


def test_a_named_trace_must_not_have_expired(six_day_lake: Lake) -> None:
    """Even where the other days are left out."""
    early = min(conversations(4), key=lambda trace: int(trace["started_at"]))["trace_id"]
    expire(six_day_lake, text=WHOLE)
    with pytest.raises(UsageError, match=r"1 traces that the spec names \(in must_include\)"):
        drafted(six_day_lake, expired="leave_out", must_include=[early])


def test_nothing_is_drawn_from_an_expired_window(six_day_lake: Lake) -> None:
    """Whatever the spec says."""
    expire(six_day_lake, text=date(2026, 12, 2))
    with pytest.raises(UsageError, match="the whole window has expired"):
        drafted(six_day_lake, expired="leave_out")


def test_a_release_outlives_its_sources(six_day_lake: Lake, tmp_path: Path) -> None:
    """Published releases stay as they are and verify as before."""
    publish_draft(drafted(six_day_lake), open_repository(tmp_path / "releases"))
    before = {p: p.read_bytes() for p in (tmp_path / "releases").rglob("*") if p.is_file()}
    expire(six_day_lake, rows=WHOLE)
    assert {p: p.read_bytes() for p in (tmp_path / "releases").rglob("*") if p.is_file()} == before
