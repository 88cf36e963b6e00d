"""What a gate decided, in words: for the terminal, the report and the test file alike."""

from collections.abc import Mapping
from typing import Any, Final

from batch.gate.gate_run import GateRun
from judges.gate.decision import GateDecision
from judges.gate.definition import MARGIN, GateDefinition
from judges.gate.metric_names import gate_metric
from judges.gate.readings import CANDIDATE
from judges.gate.requirement import RequirementResult

_SIGNS: Final = {"at_least": "at least", "at_most": "at most"}


def plain_text(word: str) -> str:
    """Return a word of the decision as people write it: ``not enough evidence``."""
    return word.replace("_", " ")


def number_text(result: RequirementResult, value: float | None, *, change: bool = False) -> str:
    """Return a number in the unit of its metric; ``change`` shows the sign of a difference."""
    if value is None:
        return "none"
    metric = gate_metric(result.metric)
    sign = "+" if change else ""
    if metric.kind == "quantile" or metric.name.endswith("_ms"):
        return f"{value:{sign},.0f} ms"
    if metric.kind == "cost_ratio" or metric.name.endswith("_usd"):
        return f"{'-' if value < 0 else sign}${abs(value):,.4f}"
    return f"{value:{sign}.3f}"


def is_margin(result: RequirementResult) -> bool:
    """Return whether a result is a difference from the baseline."""
    return result.rule == MARGIN


def bar_text(result: RequirementResult) -> str:
    """Return the bar of a result: ``at least 0.850``, or ``no worse than -0.020``."""
    if is_margin(result):
        return f"no worse than {number_text(result, result.bar, change=True)}"
    return f"{_SIGNS[result.rule]} {number_text(result, result.bar)}"


def name_text(result: RequirementResult) -> str:
    """Return the name of a result beside its bar, which says that it is a margin."""
    return result.name.removesuffix(f".{result.rule}")


def why_text(decision: GateDecision) -> str | None:
    """Return why a candidate is blocked, or why nothing could be told; None for the rest."""
    if decision.reason is not None:
        return decision.reason
    tested = [*decision.requirements, *decision.segments]
    failed = [
        f"{name_text(each)} is {estimate_text(each)}, and must be {bar_text(each)}"
        for each in tested
        if each.state == "fails"
    ]
    return f"blocked: {'; '.join(failed)}" if decision.decision == "block" else None


def interval_text(result: RequirementResult) -> str:
    """Return the bounds of a result."""
    low, high = (
        "no limit" if bound is None else number_text(result, bound, change=is_margin(result))
        for bound in (result.low, result.high)
    )
    return f"{low} to {high}"


def estimate_text(result: RequirementResult) -> str:
    """Return the estimate of a result, with its sign where it is a difference."""
    return number_text(result, result.estimate, change=is_margin(result))


def next_step(result: RequirementResult) -> str | None:
    """Return what an open or unmeasured requirement needs, None for the others."""
    if result.state == "not_measured":
        return f"{result.name}: {result.reason}"
    if result.state != "open":
        return None
    what = evidence_text(result)
    count = result.missing_reviews if result.reviews else result.missing_rows
    if count is None:
        return f"{result.name}: no number of {what} is enough, the estimate lies on the bar"
    how = " (--ask-reviews draws them)" if result.reviews else ""
    return f"{result.name}: about {count:,} more {what}{how}"


def evidence_text(result: RequirementResult) -> str:
    """Return what more evidence is made of: rows, reviews, or rows that are reviewed twice."""
    if not result.reviews:
        return "rows"
    return "rows reviewed on both sides" if is_margin(result) else "reviews"


def next_steps(decision: GateDecision) -> list[str]:
    """Return what the open and the unmeasured requirements need."""
    return [step for each in decision.requirements if (step := next_step(each)) is not None]


def advice_text(name: str, run: GateRun) -> list[str]:
    """Return what to do next, after a run of this name."""
    decision = run.decision
    answers = f"`goldpan evaluation show {name} --report FILE.html` shows what was answered."
    if decision.decision == "ship":
        return [f"Ship. The run is the baseline of the next candidate: `--baseline {name}`."]
    if decision.decision == "block":
        modes = [each for each in run.failure_modes if each["side"] == CANDIDATE and each["mode"]]
        compared = any(each.rule == MARGIN for each in decision.requirements)
        rows = "got worse" if compared else "failed"
        return [
            f"Do not ship. Read the rows that {rows} first.",
            *([f"The most frequent failure mode is `{modes[0]['mode']}`."] if modes else []),
            answers,
            "A candidate with other outputs has looks of its own.",
        ]
    left = max(0, decision.planned_looks - decision.looks)
    if decision.decision == "cannot_tell":
        steps = ["Nothing is decided. What was not measured stands above: repair it first."]
        return [*steps, _looks_left(left)]
    wanted = [each for each in decision.requirements if each.state == "open"]
    steps = ["Nothing is decided. More evidence of the kind that stands above may decide."]
    if any(each.missing_reviews for each in wanted):
        steps.append("`goldpan gate --ask-reviews N` draws answers to be reviewed.")
    if any(each.missing_rows for each in wanted):
        steps.append("Rows come with a larger release: `size` in its spec.")
    return [*steps, _looks_left(left)]


def erased_text(rows: int) -> str:
    """Return that rows of a run were erased from its release since."""
    were = "row of this run was" if rows == 1 else "rows of this run were"
    return f"{rows:,} {were} erased from the release since. Nobody can read those answers."


def _looks_left(left: int) -> str:
    if not left:
        return "No planned look is left for this candidate: plan more `looks` for the next one."
    return f"{left:,} planned {'look is' if left == 1 else 'looks are'} left for this candidate."


def scope_text(definition: GateDefinition) -> str:
    """Return what the estimates speak of, and what the figures of judges claim."""
    about = (
        "rows like those of the release"
        if definition.about == "rows"
        else "the population that the drawn rows are weighted to"
    )
    claim = "as judged" if definition.claim == "as_judged" else "as humans would judge"
    return f"{claim}; about {about}"


def look_text(decision: GateDecision) -> str:
    """Return which look it is, and how sure each bound is."""
    planned = decision.planned_looks
    sure = f"each bound holds with {100 * (1 - decision.level):.4g} %"
    return f"look {decision.looks} of {planned} planned; {sure}"


def p_text(p_value: float) -> str:
    """Return a p value: ``= 0.328``, or ``< 0.001``."""
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.3f}"


def agreement_text(decision: GateDecision) -> list[str]:
    """Return for each judged metric with reviews how far its judge agrees with them, by side."""
    return [
        f"{name}: the judge says what reviewers say of {found.agreed:,} of {found.decided:,} "
        f"{answers}" + ("" if found.ac1 is None else f" (AC1 = {found.ac1:.2f})")
        for answers, agreement in (
            ("answers", decision.agreement),
            ("answers of the baseline", decision.baseline_agreement),
        )
        for name, found in agreement.items()
    ]


def undecided_text(outcomes: Mapping[str, Any]) -> list[str]:
    """Return for each metric and side the rows without a verdict, where there are any."""
    lines = []
    for name, sides in outcomes.items():
        for side, counts in sides.items():
            lacking = {
                word: counts[word]
                for word in ("unknown", "error", "pending", "not_applicable")
                if counts[word]
            }
            if lacking:
                parts = ", ".join(f"{n:,} {plain_text(word)}" for word, n in lacking.items())
                lines.append(f"{name} of the {side}: {parts} of {counts['drawn']:,}")
    return lines
