"""The output of ``goldpan gate`` for people: the decision, requirements, and what is missing."""

from rich.console import Console

from batch.gate.gate_run import GateRun
from batch.gate.gate_words import (
    agreement_text,
    bar_text,
    estimate_text,
    interval_text,
    is_margin,
    look_text,
    name_text,
    next_steps,
    number_text,
    p_text,
    plain_text,
    scope_text,
    undecided_text,
    why_text,
)
from batch.reviews.answer_service import AskReport
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.plain_console import escape_controls
from goldpan.gate_setup import NamedRun
from judges.gate.decision import GateDecision
from judges.gate.definition import GateDefinition
from judges.gate.plan import GatePlan
from judges.gate.requirement import RequirementResult


def show_asked(console: Console, report: AskReport) -> None:
    """Print how many answers are in the review queue now, and how to go on."""
    known = f", {format_count(report.known)} were there before" if report.known else ""
    console.print(f"{format_quantity(report.added, 'answer')} put into the review queue{known}")
    console.print(
        "`goldpan review next` hands them out; run the gate again once they are reviewed",
        soft_wrap=True,
    )


def show_gate(console: Console, named: NamedRun) -> None:
    """Print the decision of a run, and whether it is kept."""
    show_run(console, named.run)
    if not named.run.decision.is_look:
        console.print("not kept, and no look: nothing could be measured")
        return
    kept = "kept as" if named.is_new else "the same as the kept"
    console.print(f"{kept} run {named.name}", soft_wrap=True)


def show_run(console: Console, run: GateRun) -> None:
    """Print the decision of a run, and what it rests on."""
    decision = run.decision
    console.print(f"{plain_text(decision.decision)}: gate {run.inputs.gate}, {run.inputs.release}")
    rows = format_quantity(run.row_count, "row")
    console.print(f"{rows}; {scope_text(run.definition)}", soft_wrap=True)
    console.print(look_text(decision), soft_wrap=True)
    why = why_text(decision)
    if why is not None:
        console.print(escape_controls(why), soft_wrap=True)
    for each in decision.requirements:
        _show(console, each)
    _show_segments(console, decision)
    steps = next_steps(decision)
    if steps:
        console.print("missing:")
        for step in steps:
            console.print(f"  {escape_controls(step)}", soft_wrap=True)
    for line in agreement_text(decision):
        console.print(line, soft_wrap=True)
    lines = undecided_text(decision.outcomes)
    if lines:
        console.print("without a verdict or a number:")
        for line in lines:
            console.print(f"  {line}", soft_wrap=True)


def _show(console: Console, result: RequirementResult) -> None:
    """Print a requirement: two short lines."""
    name = escape_controls(name_text(result))
    console.print(f"{plain_text(result.state)}: {name}, {bar_text(result)}", soft_wrap=True)
    if result.state == "not_measured":
        return
    of_reviews = bool(result.reviews) and not is_margin(result)
    counts = format_quantity(result.rows, "review" if of_reviews else "row")
    if result.reviews and is_margin(result):
        counts += " reviewed on both sides"
    console.print(
        f"  {estimate_text(result)} ({interval_text(result)}), {counts}; "
        f"finds differences from {number_text(result, result.mde)}",
        soft_wrap=True,
    )
    if result.changed is not None:
        found = result.changed
        console.print(
            f"  {found.gained} rows only the candidate passes, {found.lost} only the baseline "
            f"(McNemar p {p_text(found.p_value)})",
            soft_wrap=True,
        )


def _show_segments(console: Console, decision: GateDecision) -> None:
    """Print the segments that fail, and how many there are."""
    failed = [each for each in decision.segments if each.state == "fails"]
    if decision.segments or decision.small_segments:
        few = decision.small_segments
        console.print(
            f"{format_quantity(len(decision.segments), 'segment')} tested, {len(failed)} failed"
            + (f"; {few:,} with too few rows" if few else "")
        )
    for each in failed:
        _show(console, each)


def show_plan(console: Console, definition: GateDefinition, plan: GatePlan) -> None:
    """Print what a gate will find on its rows, and what is missing for it."""
    console.print(
        f"gate {definition.gate}, {definition.release}: {format_quantity(plan.rows, 'row')} in "
        f"{format_quantity(plan.clusters, 'conversation')}",
        soft_wrap=True,
    )
    needs = [format_quantity(plan.verdicts, "verdict")] if plan.verdicts else []
    needs += [f"at least {format_quantity(plan.reviews, 'review')}"] if plan.reviews else []
    if plan.cost_usd is not None:
        needs.append(f"about ${plan.cost_usd:,.4g} if answers cost what they did")
    if needs:
        console.print(f"needs {', '.join(needs)}", soft_wrap=True)
    for each in plan.requirements:
        shown = RequirementResult(each.name, each.name, each.rule, each.bar, "open")
        console.print(f"{each.name}, {bar_text(shown)}")
        if each.finds is None:
            console.print("  what it finds is not known before")
            continue
        console.print(f"  finds {number_text(shown, each.finds)} with 80 %", soft_wrap=True)
        if each.sought is not None:
            short = "no number of rows"
            if each.more_reviews:
                what = "reviews of each side" if is_margin(shown) else "reviews"
                short = f"{each.more_reviews:,} {what} more"
            elif each.more_rows is not None:
                short = f"{format_quantity(each.more_rows, 'row')} more"
            console.print(f"  to find {number_text(shown, each.sought)}: {short}", soft_wrap=True)
