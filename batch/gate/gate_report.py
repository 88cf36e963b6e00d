"""The report of a run: a page (HTML and Markdown), and a test file for CI (JUnit).

Kept pages hold no text of persons. The page with both answers of the rows that changed is made when
it is asked for, as long as the release has these rows.
"""

from collections.abc import Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from batch.gate.changed_answers import AnsweredRows, changed_answers
from batch.gate.forest_plot import ForestLine, draw_forest
from batch.gate.gate_run import GateRun, KeptReadings, decode_readings
from batch.gate.gate_words import (
    advice_text,
    agreement_text,
    bar_text,
    erased_text,
    estimate_text,
    interval_text,
    look_text,
    name_text,
    next_step,
    next_steps,
    number_text,
    p_text,
    plain_text,
    scope_text,
    undecided_text,
    why_text,
)
from batch.gate.judges_on_page import judge_blocks, mode_blocks
from batch.gate.rows_on_page import PAGE_STYLE, failure_blocks, flip_blocks
from batch.release.pages.markup import (
    Block,
    Figure,
    Grid,
    Heading,
    Text,
    render_html,
    render_markdown,
)
from judges.gate.readings import BASELINE
from judges.gate.requirement import RequirementResult

HTML: Final = "report.html"
MARKDOWN: Final = "report.md"
JUNIT: Final = "junit.xml"
_HEAD: Final = (
    "requirement",
    "state",
    "bar",
    "estimate",
    "bounds",
    "rows",
)
_REVIEWS: Final = "reviews"
_FINDS: Final = "finds from"


def run_pages(name: str, run: GateRun) -> dict[str, bytes]:
    """Return the pages of a run, by file name; the same run has the same bytes."""
    blocks = report_blocks(name, run)
    return {
        HTML: render_html(_title(run), blocks, PAGE_STYLE).encode(),
        MARKDOWN: render_markdown(blocks).encode(),
        JUNIT: junit_file(run),
    }


def answers_page(name: str, run: GateRun, answered: AnsweredRows) -> bytes:
    """Return the page of a run as HTML, with answers: to the rows that changed, or
    without a baseline to those that failed.

    ``answered`` are the rows of the release as it is now: those that were erased are only counted.
    """
    readings = decode_readings(run.readings, name)
    blocks = report_blocks(name, run, _rows_shown(run, readings, answered))
    return render_html(_title(run), blocks, PAGE_STYLE).encode()


def _rows_shown(run: GateRun, readings: KeptReadings, answered: AnsweredRows) -> list[Block]:
    blocks: list[Block] = []
    if any(side == BASELINE for side, _ in readings):
        blocks += flip_blocks(changed_answers(run.definition, readings, answered))
    else:
        blocks += failure_blocks(readings, answered)
    if erased := answered.missing(readings):
        blocks.append(Text(erased_text(erased), note=True))
    return blocks


def _title(run: GateRun) -> str:
    return f"Gate {run.inputs.gate}: {plain_text(run.decision.decision)}"


def report_blocks(name: str, run: GateRun, shown: Sequence[Block] = ()) -> list[Block]:
    """Return the page: the verdict first, a line a requirement, segments, and what to do next.

    ``shown`` are blocks on rows, for a page that is not kept.
    """
    decision = run.decision
    blocks: list[Block] = [
        Heading(_title(run), 1),
        Text(f"{run.inputs.release}, {run.row_count:,} rows; {scope_text(run.definition)}."),
        Text(f"{look_text(decision).capitalize()}."),
    ]
    why = why_text(decision)
    if why is not None:
        blocks.append(Text(f"{why[0].upper()}{why[1:]}.", note=True))
    blocks += [
        Heading("Requirements"),
        _grid(decision.requirements),
        Text("A difference from the bar is found from the last column on, in four of five gates."),
    ]
    steps = next_steps(decision)
    if steps:
        blocks.append(Heading("What is missing"))
        blocks += [Text(step) for step in steps]
    changed = [each for each in decision.requirements if each.changed is not None]
    if changed:
        blocks += [Heading("Rows that changed"), _changed_grid(changed)]
        blocks.append(
            Text("McNemar's test ignores clusters; the margin decides, and not this test.")
        )
    if decision.segments:
        blocks += [Heading("Segments"), _forest(decision.segments), _grid(decision.segments)]
    if decision.small_segments:
        blocks.append(Text(f"{decision.small_segments} segments have too few rows to be tested."))
    blocks += [
        Heading("Outcomes"),
        *map(Text, undecided_text(decision.outcomes) or ["All decided."]),
    ]
    blocks += [*shown, *mode_blocks(run), *judge_blocks(run)]
    blocks += map(Text, agreement_text(decision))
    blocks += [Heading("What to do next"), *map(Text, advice_text(name, run))]
    blocks += [
        Heading("This run"),
        Text(f"Run `{name}`, digest `{run.inputs.digest}`."),
        Text(
            f"Release digest `{run.inputs.release_digest}`, gate digest `{run.inputs.gate_digest}`."
        ),
    ]
    return blocks


def junit_file(run: GateRun) -> bytes:
    """Return the requirements and segments as tests: what fails failed, what is open was skipped.

    What could not be measured is an error.
    """
    results = [*run.decision.requirements, *run.decision.segments]
    suite = Element("testsuite", name=f"goldpan gate {run.inputs.gate}", tests=str(len(results)))
    for state, attribute in (
        ("fails", "failures"),
        ("not_measured", "errors"),
        ("open", "skipped"),
    ):
        suite.set(attribute, str(sum(each.state == state for each in results)))
    for each in results:
        case = SubElement(suite, "testcase", classname=run.inputs.gate, name=each.name)
        said = f"{estimate_text(each)} ({interval_text(each)}), {bar_text(each)}"
        if each.state == "fails":
            SubElement(case, "failure", message=said)
        elif each.state == "not_measured":
            SubElement(case, "error", message=each.reason or "")
        elif each.state == "open":
            SubElement(case, "skipped", message=f"{said}; {next_step(each)}")
    text: str = tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()


def _grid(results: Sequence[RequirementResult]) -> Grid:
    """Return a line a result; the column of reviews is there if anything was reviewed."""
    reviewed = any(each.reviews for each in results)
    rows = []
    for each in results:
        measured = each.state != "not_measured"
        reviews = [f"{each.reviews:,}"] if reviewed else []
        rows.append(
            [
                name_text(each),
                plain_text(each.state),
                bar_text(each),
                estimate_text(each) if measured else "-",
                interval_text(each) if measured else "-",
                f"{each.rows:,}",
                *reviews,
                number_text(each, each.mde) if measured else "-",
            ]
        )
    head = (*_HEAD, *([_REVIEWS] if reviewed else []), _FINDS)
    return Grid(head, rows, numbers_from=5)


def _changed_grid(results: Sequence[RequirementResult]) -> Grid:
    rows = [
        [name_text(each), f"{found.gained:,}", f"{found.lost:,}", p_text(found.p_value)]
        for each in results
        if (found := each.changed) is not None
    ]
    return Grid(("requirement", "only candidate passes", "only baseline passes", "McNemar p"), rows)


def _forest(segments: Sequence[RequirementResult]) -> Figure:
    lines = [
        ForestLine(name_text(each), each.estimate, each.low, each.high, each.bar, each.state)
        for each in segments
        if each.estimate is not None
    ]
    plot = draw_forest(lines, "Segments: estimates and bounds")
    return Figure(f'<div class="plot">{plot}</div>', "A plot is in the HTML page.")
