"""Topics are described strictly, and the page of the contract is up to date."""

from pathlib import Path

import pytest

from schemas.contract import CONTRACTS, ContractError
from schemas.contract_docs import render_contract_page
from schemas.topics import TOPICS, parse_topic

GOOD = """\
topic: t
description: A topic.
owner: somebody
key: trace_id
schema: trace
compatibility: BACKWARD_TRANSITIVE
retention_days: 7
"""
PAGE = Path(__file__).parents[2] / "docs" / "contract.md"


def test_the_topics_are_those_of_the_design() -> None:
    """Traces and feedback are keyed by trace, so that a join finds them by one key."""
    assert {topic.topic: (topic.schema, topic.key) for topic in TOPICS.values()} == {
        "llm.traces": ("trace", "trace_id"),
        "llm.feedback": ("feedback", "trace_id"),
        "llm.labels": ("label_event", "trace_id"),
    }
    assert {topic.schema for topic in TOPICS.values()} <= set(CONTRACTS)


def test_a_good_topic_is_read() -> None:
    """A complete description is read as it stands."""
    assert parse_topic("t.yaml", GOOD.encode()).retention_days == 7


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("retention_days: 7", "retention_days: 0"),
        ("retention_days: 7", "retention_days: week"),
        ("retention_days: 7", "retention: 7"),
        ("owner: somebody\n", ""),
        ("owner: somebody", 'owner: ""'),
        ("key: trace_id", "key: nope"),
        ("schema: trace", "schema: nope"),
        ("topic: t", "topic: other"),
        ("compatibility: BACKWARD_TRANSITIVE", "compatibility: NONE"),
        ("topic: t", "topic: [t"),
    ],
)
def test_a_topic_that_is_not_sound_is_refused(old: str, new: str) -> None:
    """Unknown keys, wrong values, a key that is no field: the error names the file."""
    assert old in GOOD
    with pytest.raises(ContractError, match=r"t\.yaml"):
        parse_topic("t.yaml", GOOD.replace(old, new).encode())


def test_the_page_of_the_contract_is_up_to_date() -> None:
    """docs/contract.md is what ``python -m schemas.contract_docs docs/contract.md`` writes."""
    assert PAGE.read_text(encoding="utf-8") == render_contract_page()
