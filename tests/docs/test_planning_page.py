"""`docs/planning.md` is what its commands print, from figures of the other pages."""

import re

import pytest

from benchmarks.planning import Plan, PlanInputs, make_plan, render_plans
from tests.docs.pages import read_page

PAGE = read_page("docs/planning.md")
RATES = (10.0, 1_000.0, 100_000.0)


def plan(rate: float, **changed: float) -> Plan:
    """A plan from the inputs, some of them changed."""
    return make_plan(rate, PlanInputs(**changed))


def test_the_table_is_what_the_command_prints() -> None:
    """For the three rates of the page."""
    assert render_plans([plan(rate) for rate in RATES]) in PAGE


def test_the_inputs_are_figures_of_other_pages() -> None:
    """CPU of the page on capacity, size of the one on formats, requests of a decision."""
    given = PlanInputs()
    capacity = read_page("docs/capacity.md")
    assert f"| with it | {given.redaction:g} |" in capacity
    assert re.search(rf"goldpan, without redaction and labels \| {given.rest:g} ", capacity)
    assert f"/ 1,000,000 / {given.busy:g}" in capacity
    assert "Parquet is a tenth of plain JSON lines" in read_page("docs/formats.md")
    assert f"in 5 of them, take {given.erasure:g} s" in " ".join(
        read_page("docs/erasure.md").split()
    )
    assert f"a million traces takes {given.drift:g} CPU-seconds" in capacity
    name = "docs/decisions/0006-files-are-replaced-by-compare-and-swap.md"
    assert f"{given.requests_a_commit:g} requests instead of" in read_page(name)


def test_every_input_stands_on_the_page() -> None:
    """With its value, so that a reader can put in another."""
    given = PlanInputs()
    for name in PlanInputs.__dataclass_fields__:
        option = f"--{name.replace('_', '-')}"
        assert re.search(rf"`{option}` \| {getattr(given, name):,g} \|", PAGE), option


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"redaction": 2 * PlanInputs().redaction}, "cores"),
        ({"flush_seconds": 15.0}, "commits_a_minute"),
        ({"request_price": 0.01}, "requests_price"),
        ({"record_bytes": 3_600.0}, "storage_price"),
        ({"core_price": 0.08}, "cores_price"),
    ],
)
def test_a_plan_grows_with_its_inputs(changed: dict[str, float], field: str) -> None:
    """By the factor, where nothing else is added."""
    before, after = (getattr(plan(1e5, **each), field) for each in ({}, changed))
    assert after / before == pytest.approx(2, rel=0.05)


def test_a_plan_by_hand() -> None:
    """1,000 a second: .65 of a core, which two workers have at .6 of one each."""
    made = plan(1_000, redaction=629.0, rest=19.8)
    assert made.cores == pytest.approx(0.6488)
    assert (made.workers, made.partitions, made.commits_a_minute) == (2, 4, 8)
    assert made.requests_a_day == 2 * 2 * 2_880 * 4 * 10
    assert plan(1e-6).workers == 1
