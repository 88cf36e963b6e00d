"""What a replay would change is told in numbers, and shown without what a policy let through."""

import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stream.replay.diff import ReplayComparison
from stream.replay.samples import find_changed_values, mask_differences
from stream.replay.table_pair import TablePair
from tests.stream.replays import filled_lake, stage, staging

HOLDER = "<PERSON:abcdefghijkl>"


def test_what_differs_is_shown_as_placeholders_and_lengths() -> None:
    """A name that only the new policy has found stands on no screen."""
    before, after = mask_differences("Dear Mia Rossi, call me", f"Dear {HOLDER}, call me")
    assert before == "Dear [9 characters], call me"
    assert after == f"Dear {HOLDER}, call me"


def test_the_path_of_a_change_is_told() -> None:
    """In lists and records too; what is not text is not shown."""
    old = [{"role": "user", "content": "Mia"}, {"role": "user", "content": None}]
    new = [{"role": "user", "content": HOLDER}, {"role": "user", "content": "x"}]
    found = [(v.path, v.before, v.after) for v in find_changed_values("messages", old, new)]
    assert found == [
        ("messages.0.content", "[3 characters]", HOLDER),
        ("messages.1.content", "nothing", "[1 characters]"),
    ]


WORDS = st.lists(st.text(string.ascii_lowercase, min_size=3, max_size=8), min_size=1, max_size=12)


@given(WORDS, st.data())
def test_nothing_is_shown_that_the_new_text_does_not_hold(
    words: list[str], data: st.DataObject
) -> None:
    """Whatever is taken out: what is shown of the old text is in the new one, or is a length."""
    hidden = data.draw(st.sets(st.sampled_from(words)))
    after = " ".join(HOLDER if word in hidden else word for word in words)
    for text in mask_differences(" ".join(words), after):
        told = text.replace(HOLDER, " ").replace("characters", " ")
        for word in hidden:
            assert word not in told.split() or word in after.split()


def compare(folder: Path) -> ReplayComparison:
    """Return what compares the replay r1."""
    room = staging(folder)
    plan = room.plan("r1")
    live, tables = room.live, room.lake("r1")
    return ReplayComparison(
        plan,
        TablePair(live.table("feedback"), live.table("quarantine")),
        TablePair(tables.table("feedback"), tables.table("quarantine")),
        live.table("redactions"),
        None,
        lambda *_told: None,
    )


def test_rows_are_counted_by_what_becomes_of_them(tmp_path: Path) -> None:
    """3, 4 and 8 are as they were, 7 comes in, 6 goes, 5 stays set aside."""
    filled_lake(tmp_path)
    stage(tmp_path)
    found = compare(tmp_path).run(samples=3)
    assert (found.same, found.changed, found.added, found.gone, found.aside) == (3, 0, 1, 1, 1)
    assert (found.kept, found.withheld, found.differs) == (0, 0, True)


def test_what_would_stay_or_stay_away_is_counted(tmp_path: Path) -> None:
    """What Kafka had lost stays."""
    filled_lake(tmp_path)
    stage(tmp_path, absent={4, 5, 7})
    found = compare(tmp_path).run(samples=3)
    assert (found.same, found.added, found.gone, found.aside, found.kept) == (2, 0, 1, 0, 3)
