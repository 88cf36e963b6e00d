"""The page on detection describes the code, and README claims no more than was measured."""

from pathlib import Path

from redact.policies.data_types import DATA_TYPES, DETECTION_NOTES
from redact.policies.policy import PRESETS, load_policy
from redact.reports.detection_page import (
    format_share,
    load_figures,
    render_detection_page,
)
from tests.architecture.source import ROOT

PAGE = ROOT / "docs" / "what-is-found.md"


def test_the_page_is_as_the_code_and_the_figures_make_it() -> None:
    """After a change run `python -m redact.reports.detection_page docs/what-is-found.md`."""
    assert PAGE.read_text(encoding="utf-8") == render_detection_page(load_figures(PAGE))


def test_every_type_says_how_it_is_recognised() -> None:
    """A type without a sentence would be one that nobody can rely on."""
    assert set(DATA_TYPES) <= set(DETECTION_NOTES)


def test_every_type_that_a_preset_names_has_its_operator_on_the_page() -> None:
    """A reader sees what each preset does with a type."""
    rows = {
        cells[1].strip().strip("`"): [cell.strip() for cell in cells[-5:-1]]
        for line in render_detection_page(None).partition("## Keys")[0].splitlines()
        if (cells := line.split("|"))[1:2] and cells[1].strip().startswith("`")
    }
    assert set(rows) == set(DATA_TYPES)
    for number, preset in enumerate(PRESETS):
        for kind, rule in load_policy(preset).entities.items():
            shown = "kept" if rule.operator == "keep" else rule.operator
            assert rows[kind][number] == shown


def test_readme_says_what_was_measured() -> None:
    """The figure on the first page is the one of the figures, word by word."""
    figures = load_figures(PAGE)
    assert figures is not None
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    shares = [
        f"{format_share(each['overall']['coverage'])} of {each['overall']['labels']:,} "
        f"{each['short']}"
        for each in figures["sets"]
    ]
    assert f"{' and '.join(shares)} are gone" in readme
    assert "Nothing personal gets through" not in readme


def test_a_share_that_is_not_all_does_not_look_like_all() -> None:
    """99.96 % is not written as 100.0 %."""
    score = {"labels": 9_999, "coverage": 0.9999}
    one = {"name": "some", "short": "x", "texts": 1, "overall": score, "types": {}}
    assert "99.9 %" in render_detection_page({"policy": "strict", "sets": [one]})


def test_without_figures_the_page_says_so(tmp_path: Path) -> None:
    """Nobody has to guess whether a missing table means zero."""
    assert load_figures(tmp_path / "page.md") is None
    assert "No figures have been measured yet." in render_detection_page(None)
