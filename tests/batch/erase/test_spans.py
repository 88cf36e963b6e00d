"""Erasing a person reaches every span and every revision of the person's traces, and no other."""

from pathlib import Path

import pytest

from lake.tables import Lake
from lake.verify import verify_lake
from schemas.assembly_columns import AssemblyFacts
from schemas.records import StoredSpanEvent
from tests.batch.erase.world import (
    NICKNAME,
    OWN,
    PERSON,
    PLACEHOLDER,
    TOKEN,
    USER,
    erasure,
    person,
    stored_span,
)
from tests.batch.kit import new_lake, open_lake, put_assembled, put_spans
from tests.edges.search import marks_in_folder
from tests.labels.kit import trace

TWIN = "twin-of-mia"
"""The trace that another instrumentation made of the person's call, without saying whose it is."""
WORDS = [PERSON, NICKNAME, USER, TOKEN, *OWN[:2], TWIN, "mentions-mia"]


@pytest.fixture
def spans_lake(tmp_path: Path) -> Lake:
    """Spans of the person and of others in one Kafka record, and what was assembled from them."""
    lake = new_lake(tmp_path / "lake")
    told = StoredSpanEvent(name="said", time_unix_nano=1, attributes=f'{{"by": "{NICKNAME}"}}')
    put_spans(
        lake,
        [
            stored_span(OWN[0], "root", user_id=USER, attributes=f'{{"user.id": "{USER}"}}'),
            stored_span(OWN[0], "tool", events=[told]),
            stored_span(OWN[1], "alone", user_id=USER),
            stored_span(TWIN, "root", attributes=f'{{"input": "{NICKNAME}"}}'),
            stored_span("mentions-mia", "root", attributes=f'{{"about": "{PLACEHOLDER}"}}'),
            stored_span("mentions-mia", "child"),
            stored_span("of-another", "root", user_id=person("other-1")),
            stored_span("of-another", "child"),
        ],
    )
    put_assembled(
        lake,
        [
            (trace(OWN[0], response="first"), AssemblyFacts(1, "m")),
            (trace(OWN[0], at=90_000, response="second", user_id=USER), AssemblyFacts(2, "m")),
            (trace(TWIN, response=NICKNAME), AssemblyFacts(1, "m", duplicate_of=OWN[0])),
            (trace("of-another", user_id=person("other-1")), AssemblyFacts(1, "m")),
        ],
    )
    return lake


def ids(lake: Lake, name: str) -> list[str]:
    """Return the trace ids of the rows of a table."""
    table = open_lake(lake.location.uri).table(name)
    return sorted(table.read(["trace_id"])["trace_id"].to_pylist())


def test_nothing_of_the_person_is_left_in_any_byte(spans_lake: Lake, tmp_path: Path) -> None:
    """Spans without a user, revisions before the user was known, and the twin of the trace go."""
    assert marks_in_folder(tmp_path, WORDS)
    erasure(spans_lake).run()
    assert marks_in_folder(tmp_path, WORDS) == []
    assert ids(spans_lake, "otel_spans") == ["of-another"] * 2
    assert ids(spans_lake, "traces") == ["of-another"]
    found = verify_lake(open_lake(spans_lake.location.uri), deep=True).problems
    assert [problem for problem in found if "position in quarantine" not in problem] == []


def test_what_is_shown_is_what_would_go(spans_lake: Lake) -> None:
    """`subject show` counts rows of spans and of each revision."""
    scan, _ = erasure(spans_lake).scan()
    found = {
        matches.path: sum(matches.own.values()) + sum(matches.mentions.values())
        for matches in scan.tables
        if matches.files
    }
    assert found == {"traces": 3, "otel_spans": 6}
