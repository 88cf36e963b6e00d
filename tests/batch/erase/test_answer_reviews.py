"""Erasing a person reaches reviewed answers of candidates: no byte is left of them."""

import json
from pathlib import Path

from lake.tables import Lake
from schemas.arrow import ANSWER_REVIEWS_TABLE
from tests.batch.erase.world import (
    NICKNAME,
    OWN,
    PERSON,
    PLACEHOLDER,
    TOKEN,
    USER,
    erasure,
    person,
)
from tests.batch.gate.asked_answers import answer, answer_desk, judge_answer, stored
from tests.batch.judge.world import asked
from tests.batch.kit import complaints, new_lake, open_lake
from tests.edges.search import marks_in_folder

ANSWER_TO_HER = f"as {NICKNAME} has asked"
WORDS = [PERSON, USER, TOKEN, ANSWER_TO_HER, *OWN[:2]]


def reviewed_lake(folder: Path) -> Lake:
    """Answers to the person and to others; one of these mentions her, and she reviews one."""
    lake = new_lake(
        folder,
        [
            asked(0, trace_id=OWN[0], user_id=USER),
            asked(1, trace_id=OWN[1], user_id=USER),
            asked(2, trace_id="of-another", user_id=person("other-1")),
            asked(3, trace_id="about-mia"),
        ],
    )
    desk = answer_desk(lake)
    said = json.dumps({"messages": [], "retrieved": [{"text": PLACEHOLDER}], "tool_calls": []})
    desk.ask(
        lambda: [
            answer(0, trace_id=OWN[0], response=ANSWER_TO_HER),
            answer(1, trace_id=OWN[1]),
            answer(2, trace_id="of-another"),
            answer(3, trace_id="about-mia", conversation=said),
        ]
    )
    other = person("other-2")
    for claimed in desk.claim(other, 4):
        judge_answer(desk, claimed.answer.answer_id, other, comment="It is so.", policy="p")
    judge_answer(desk, answer(2).answer.answer_id, USER)
    return lake


def test_no_answer_to_the_person_is_left_in_any_byte(tmp_path: Path) -> None:
    """Hers go with their reviews; those of others stand, without a text that mentions her."""
    lake = reviewed_lake(tmp_path / "lake")
    assert set(marks_in_folder(tmp_path / "lake" / ANSWER_REVIEWS_TABLE, WORDS))
    erasure(lake).run()
    assert marks_in_folder(tmp_path, WORDS) == []
    left = open_lake(tmp_path / "lake")
    found = stored(left)
    readable = {each.trace_id: each.is_readable for each in found.answers.values()}
    assert readable == {"of-another": True, "about-mia": False}
    assert [review.reviewer for review in found.log.reviews] == [person("other-2")] * 2
    verdicts = answer_desk(left).queue().verdicts()
    assert sorted(each.answer.trace_id for each in verdicts) == ["about-mia", "of-another"]
    assert complaints(left) == []
