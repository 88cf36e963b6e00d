"""Synthetic rows are marked everywhere and never counted as production."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.release.export.formats import EXPORT_FORMATS
from batch.release.format.commitments import row_commitment
from batch.release.format.files import DATA, MANIFEST, STARTER
from batch.release.format.manifest import read_manifest
from batch.release.format.reader import read_release_rows, read_starter_rows
from batch.release.format.rows import GENERATOR, SyntheticRow, json_rows
from batch.release.format.version import FIRST_VERSION, ChangeLevel
from batch.release.pages.datasheet import datasheet_blocks
from batch.release.pages.markup import render_markdown
from batch.release.publish.build import ReleaseDraft, assemble_files, publish_draft
from batch.release.publish.diff import diff_releases
from batch.release.publish.verify import verify_release
from batch.release.sampling.holdout_split import (
    GroupFields,
    SplitFields,
    assign_splits,
    find_tied_rows,
)
from batch.release.sampling.spec import HoldoutRule
from batch.release.sampling.synthetic_rows import SYNTHETIC, SyntheticOffer
from lake.objects import FolderStore
from lake.tables import Lake
from schemas.errors import UsageError
from tests.batch.release.kit import contents, drafted, open_repository
from tests.batch.release.people import erased
from tests.short_versions import short

Row = Mapping[str, Any]
GENERATOR_NAME = "paraphraser-2"
ASKED = {"file": "rows.jsonl", "generator": GENERATOR_NAME, "max_share": 0.2}
WORDS = ("flight", "seat", "bag", "refund", "city", "gate", "hotel", "meal", "delay", "crew")


def said(number: int) -> str:
    """Return a text that is like no other."""
    return " ".join(f"{word}{number}" for word in WORDS)


def row(number: int, **more: Any) -> Row:
    """Return a synthetic row as it comes out of a file."""
    at = datetime(2026, 11, 3, tzinfo=UTC)
    plain: dict[str, Any] = {
        "trace_id": f"made-{number}",
        "app": "airline-support",
        "environment": "production",
        "started_at": at,
        "_ingested_at": at,
        "status": "ok",
        "messages": [
            {
                "role": "user",
                "content": said(number),
                "name": None,
                "tool_call_id": None,
                "tool_calls": [],
            }
        ],
        "response": f"Answer {said(number)}",
        "retrieved": [],
        "tool_calls": [],
        "segments": {},
        "attributes": {},
        "_topic": "#synthetic",
        "_partition": 0,
        "_offset": number,
        "_policy": "policy-a",
        "label": "fail",
        "expected_response": "Better.",
    }
    columns = ("session_id", "user_id", "request_id")
    return {**dict.fromkeys(columns), **plain, **more}


def offered(rows: Sequence[Row]) -> SyntheticOffer:
    """Return rows as a file offers them."""
    return SyntheticOffer(GENERATOR_NAME, "0" * 64, cast("Sequence[SyntheticRow]", rows))


def made(lake: Lake, rows: Sequence[Row], **changes: Any) -> ReleaseDraft:
    """Return the draft of a release with synthetic rows."""
    return drafted(
        lake, offered=offered(rows), synthetic={**ASKED, **changes.pop("asked", {})}, **changes
    )


@pytest.fixture(scope="module")
def nine(conversation_lake: Lake) -> ReleaseDraft:
    """The draft of a release with nine synthetic rows, which tests do not change."""
    return made(conversation_lake, [row(n) for n in range(9)])


def synthetic(draft: Any) -> list[Row]:
    """Return the synthetic rows of a draft."""
    return [one for one in draft.rows.to_pylist() if one["generator"]]


def test_they_are_marked_and_have_no_weight(conversation_lake: Lake) -> None:
    """`drawn` and `generator` mark them; they have no weight; other rows are unchanged."""
    draft = made(conversation_lake, [row(n) for n in range(40)])
    rows = synthetic(draft)
    assert rows
    for one in rows:
        assert (one["drawn"], one["generator"]) == (SYNTHETIC, GENERATOR_NAME)
        assert one["weight"] is one["inclusion_probability"] is None
        assert (one["label"], one["expected_response"]) == ("fail", "Better.")
    plain = drafted(conversation_lake)
    production = [one for one in draft.rows.to_pylist() if not one["generator"]]
    assert production == plain.rows.to_pylist()
    for key in ("population", "design"):
        assert draft.facts[key] == plain.facts[key]


@pytest.mark.parametrize("share", short([0.1, 0.2, 0.5], [0.2]))
def test_their_share_is_capped_in_each_stratum(conversation_lake: Lake, share: float) -> None:
    """A stratum without rows from production gets none."""
    labels = ("pass", "fail", "unknown")
    rows = [row(n, label=labels[n % 3], status=("ok", "error")[n % 2]) for n in range(120)]
    draft = made(conversation_lake, rows, asked={"max_share": share}, size=60)
    of = Counter(one["stratum"] for one in draft.rows.to_pylist() if not one["generator"])
    ours = Counter(one["stratum"] for one in synthetic(draft))
    assert ours
    for stratum, count in ours.items():
        assert count <= share * (of[stratum] + count) + 1e-9
        assert count == int(of[stratum] * share / (1 - share) + 1e-9) or count == 20
    told = draft.facts["synthetic"]
    assert told["rows"] == sum(ours.values()) == sum(told["by_stratum"].values())
    assert told["rows"] + sum(told["left_out"].values()) == told["offered"] == 120


def test_near_duplicates_are_left_out(conversation_lake: Lake) -> None:
    """Near-duplicates of drawn rows, and of one another, are left out."""
    drawn = next(
        one for one in drafted(conversation_lake).rows.to_pylist() if one["label"] == "fail"
    )
    copy = row(1, messages=drawn["messages"], response=drawn["response"])
    twin = row(3, messages=row(2)["messages"], response=row(2)["response"])
    rows = [copy, row(2), twin]
    draft = made(
        conversation_lake, rows, near_duplicates={"threshold": 0.85}, asked={"max_share": 0.5}
    )
    assert {one["trace_id"] for one in synthetic(draft)} in ({"made-2"}, {"made-3"})
    assert draft.facts["synthetic"]["left_out"] == {"near_duplicates": 2}


def test_rows_that_do_not_fit_the_filters_are_left_out(conversation_lake: Lake) -> None:
    """A release of one app holds no synthetic row of another."""
    rows = [row(1), row(2, app="another")]
    draft = made(
        conversation_lake, rows, where={"app": "airline-support"}, asked={"max_share": 0.5}
    )
    assert [one["trace_id"] for one in synthetic(draft)] == ["made-1"]
    assert draft.facts["synthetic"]["left_out"] == {"outside_where": 1}


def test_the_holdout_line_is_kept(conversation_lake: Lake) -> None:
    """A row is on its user's side, drawn rows keep their side, linking rows are left out."""
    plain = drafted(conversation_lake).rows.to_pylist()
    by_side = {one["split"]: one for one in plain}
    assert set(by_side) == {"holdout", "development"}
    held, kept = by_side["holdout"], by_side["development"]
    rows = [
        row(1, user_id=held["user_id"], label=held["label"]),
        row(2, user_id=kept["user_id"], label=kept["label"]),
        row(3, user_id=held["user_id"], session_id=kept["session_id"]),
    ]
    draft = made(conversation_lake, rows[:2], asked={"max_share": 0.5})
    found = {one["trace_id"]: one["split"] for one in synthetic(draft)}
    assert found == {"made-1": "holdout", "made-2": "development"}
    draft = made(conversation_lake, rows[2:], asked={"max_share": 0.5})
    assert synthetic(draft) == []
    assert draft.facts["synthetic"]["left_out"] == {"on_both_sides": 1}


KEYS = st.lists(
    st.tuples(st.sampled_from([None, *"abcdef"]), st.sampled_from([None, *"uvwxyz"])), max_size=12
)


@settings(max_examples=150)
@given(KEYS, KEYS)
def test_no_group_is_on_both_sides(production: Any, more: Any) -> None:
    """Whatever rows share: drawn rows keep their sides, and no group is on both."""

    def named(kind: str, keys: Any) -> list[GroupFields]:
        return [
            {"trace_id": f"{kind}{n}", "user_id": user, "session_id": session}
            for n, (user, session) in enumerate(keys)
        ]

    rule = HoldoutRule(share=0.5)
    before = assign_splits(named("p", production), rule)
    drawn: list[SplitFields] = [
        {**row, "split": side} for row, side in zip(named("p", production), before, strict=True)
    ]
    across = find_tied_rows(drawn, named("s", more))
    joined = [one for one in named("s", more) if one["trace_id"] not in across]
    after = assign_splits([*drawn, *joined], rule, fixed=before)
    assert after[: len(drawn)] == before
    for key in ("user_id", "session_id"):
        sides: dict[object, set[str]] = {}
        for row, side in zip([*drawn, *joined], after, strict=True):
            if (value := dict(row)[key]) is not None:
                sides.setdefault(value, set()).add(side)
        assert all(len(found) == 1 for found in sides.values())


def test_the_pages_count_them_separately(conversation_lake: Lake, nine: ReleaseDraft) -> None:
    """Every number outside their own section is that of a release without them."""
    draft, plain = nine, drafted(conversation_lake)
    pages = [
        render_markdown(datasheet_blocks(d.facts, str(FIRST_VERSION), None, json_rows(d.rows)))
        for d in (draft, plain)
    ]
    assert f"{len(synthetic(draft))} more rows are not from production" in pages[0]
    assert GENERATOR_NAME in pages[0]
    assert "Synthetic" not in pages[1]
    for title in ("## Labels", "## Segments against the traces", "## What difference it can show"):
        first, second = (page.split(title)[1].split("\n## ")[0] for page in pages)
        assert first == second


def test_a_release_with_them_is_proved_exported_and_compared(
    conversation_lake: Lake, nine: ReleaseDraft, tmp_path: Path
) -> None:
    """The same file gives the same bytes; adding them is minor; exports name the generator."""
    plain, draft = drafted(conversation_lake), nine
    place = open_repository(tmp_path / "releases")
    assert publish_draft(plain, place).level is ChangeLevel.MAJOR
    built = publish_draft(draft, place)
    assert (str(built.version), built.level) == ("1.1.0", ChangeLevel.MINOR)
    again = made(conversation_lake, [row(n) for n in reversed(range(9))])
    assert assemble_files(again, FIRST_VERSION, None) == assemble_files(draft, FIRST_VERSION, None)
    store = FolderStore(tmp_path / "releases")
    verdict = verify_release(store, "support/1.1.0/")
    assert verdict.ok, verdict.problems
    files = contents(tmp_path / "releases" / "support" / "1.1.0")
    assert read_manifest(files[MANIFEST])["synthetic"]["generator"] == GENERATOR_NAME
    assert not any(one[GENERATOR] for one in read_starter_rows(files[STARTER]))
    rows = json_rows(read_release_rows(files[DATA]))
    for name, export in EXPORT_FORMATS.items():
        text = b"".join(export(rows, "support", "1.1.0").values())
        assert GENERATOR_NAME.encode() in text, name
    before = json_rows(
        read_release_rows(contents(tmp_path / "releases" / "support" / "1.0.0")[DATA])
    )
    found = diff_releases(before, rows)
    assert len(found.changes.added) == len(synthetic(draft))
    assert not found.changes.removed


def test_a_synthetic_row_cannot_be_passed_off_as_production(nine: ReleaseDraft) -> None:
    """Removing the mark of a row is detected, since the commitment covers the mark."""
    (one,) = [r for r in json_rows(nine.rows) if r["trace_id"] == synthetic(nine)[0]["trace_id"]]
    assert row_commitment({**one, "generator": None}) != row_commitment(one)
    assert row_commitment({**one, "drawn": "sample"}) != row_commitment(one)


def test_a_synthetic_row_can_be_erased(nine: ReleaseDraft, tmp_path: Path) -> None:
    """Its text may name a person; the successor counts synthetic rows separately too."""
    publish_draft(nine, open_repository(tmp_path))
    gone = synthetic(nine)[0]
    erased(open_repository(tmp_path), [gone["trace_id"]], 1)
    store = FolderStore(tmp_path)
    assert verify_release(store, "support/1.0.0/").ok
    assert verify_release(store, "support/2.0.0/").ok
    told = read_manifest(contents(tmp_path)["support/2.0.0/manifest.json"])
    assert told["synthetic"]["rows"] == nine.facts["synthetic"]["rows"] - 1
    before = {one["name"]: one["rows"] for one in nine.facts["design"]["strata"]}
    assert {one["name"]: one["rows"] for one in told["design"]["strata"]} == before


def test_an_id_of_production_is_refused(conversation_lake: Lake) -> None:
    """With its line."""
    drawn = drafted(conversation_lake).rows.to_pylist()[0]
    with pytest.raises(UsageError, match="line 7: trace_id"):
        made(conversation_lake, [row(7, trace_id=drawn["trace_id"])])


def test_strata_of_every_kind_are_found(conversation_lake: Lake) -> None:
    """By a segment, a band of numbers and the tools called, as for production."""
    call = {"id": "c", "name": "search", "arguments": "{}", "result": None, "error": None}
    rows = [
        row(1, segments={"plan": "free"}, latency_ms=600.0),
        row(2, segments={"plan": "free"}, latency_ms=9_000.0),
        row(3, segments={}, latency_ms=600.0),
        row(4, segments={"plan": "free"}, tool_calls=[{**call, "latency_ms": 1.0}]),
    ]
    asked = {
        "strata": ["segments.plan", "latency_ms", "tool_path"],
        "bands": {"latency_ms": [800]},
        "allocation": {"by": "equal"},
        "size": 60,
    }
    draft = made(conversation_lake, rows, asked={"max_share": 0.5}, **asked)
    first = next(one for one in synthetic(draft) if one["trace_id"] == "made-1")
    assert first["stratum"] == "segments.plan=free, latency_ms=<800, tool_path=(none)"
    assert (
        draft.facts["synthetic"]["rows"] + draft.facts["synthetic"]["left_out"]["over_share"] == 4
    )
