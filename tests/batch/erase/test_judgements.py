"""Erasing a person, and letting texts expire, reaches judgements: no byte is left of them."""

from pathlib import Path

import pytest

from lake.tables import Lake
from schemas.arrow import JUDGEMENTS_TABLE
from tests.batch.erase.world import OWN, PERSON, PLACEHOLDER, TOKEN, USER, erasure, person
from tests.batch.judge.world import World, asked, stored, take_in
from tests.batch.kit import new_lake, open_lake
from tests.edges.search import marks_in_folder

SAID = "the answer is about Quetzalina"
WORDS = [PERSON, USER, TOKEN, *OWN[:2]]


@pytest.fixture
def judged_lake(tmp_path: Path) -> Lake:
    """Traces of the person and of others, judged by a server and by an evaluation elsewhere."""
    lake = new_lake(
        tmp_path / "lake",
        [
            asked(0, trace_id=OWN[0], user_id=USER),
            asked(1, trace_id=OWN[1], user_id=USER),
            asked(2, trace_id="of-another", user_id=person("other-1")),
            asked(3, trace_id="about-mia"),
        ],
    )
    World(lake).run()
    take_in(
        lake,
        [
            {"subject": OWN[0], "judge": "elsewhere", "outcome": "fail", "reason": SAID},
            {"subject": "about-mia", "judge": "elsewhere", "outcome": "pass",
             "reason": f"it says {PLACEHOLDER}"},
            {"subject": "of-another", "judge": "elsewhere", "outcome": "pass"},
        ],
    )  # fmt: skip
    return lake


def test_no_judgement_of_the_person_is_left_in_any_byte(judged_lake: Lake, tmp_path: Path) -> None:
    """Claims, verdicts and rationales go, those of others that mention the person too."""
    assert set(marks_in_folder(tmp_path / "lake" / JUDGEMENTS_TABLE, WORDS))
    erasure(judged_lake).run()
    assert marks_in_folder(tmp_path, [*WORDS, SAID]) == []
    left = stored(open_lake(tmp_path / "lake"))
    assert sorted((judgement.trace_id, judgement.judge) for judgement in left) == [
        ("about-mia", "answered"),
        ("of-another", "answered"),
        ("of-another", "elsewhere"),
    ]


def test_what_was_erased_is_not_judged_again(judged_lake: Lake, tmp_path: Path) -> None:
    """The rows are gone from the window as well."""
    erasure(judged_lake).run()
    again = World(open_lake(tmp_path / "lake"), run_id="run-2")
    assert (again.run().counts.drawn, again.server.asked) == (2, [])
