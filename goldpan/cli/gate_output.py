"""The output of ``goldpan gate`` for people: the decision, requirements, and what is missing."""

from rich import box
from rich.console import Console
from rich.table import Table

from batch.gate.gate_words import (
    HEADLINES,
    bar_text,
    estimate_text,
    interval_text,
    look_text,
    next_step,
    number_text,
    scope_text,
    undecided_text,
)
from goldpan.cli.formatting import format_quantity
from goldpan.cli.plain_console import escape_controls
from goldpan.gate_setup import NamedRun
from judges.gate.definition import GateDefinition
from judges.gate.plan import GatePlan
from judges.gate.requirement import RequirementResult


def show_gate(console: Console, named: NamedRun) -> None:
    """Print the decision of a run, and what it rests on."""
    run, decision = named.run, named.run.decision
    console.print(f"{HEADLINES[decision.decision]}: gate {run.inputs.gate}, {run.inputs.release}")
    rows = format_quantity(run.row_count, "row")
    console.print(f"{rows}; {scope_text(run.definition)}", soft_wrap=True)
    console.print(look_text(decision), soft_wrap=True)
    if decision.reason is not None:
        console.print(decision.reason, soft_wrap=True)
    for each in decision.requirements:
        _show(console, each)
    _show_segments(console, named)
    steps = [step for each in decision.requirements if (step := next_step(each)) is not None]
    if steps:
        console.print("missing:")
        for step in steps:
            console.print(f"  {escape_controls(step)}", soft_wrap=True)
    lines = undecided_text(decision.outcomes)
    if lines:
        console.print("without a verdict or a number:")
        for line in lines:
            console.print(f"  {line}", soft_wrap=True)
    if not decision.is_look:
        console.print("not kept, and no look: nothing could be measured")
        return
    kept = "kept as" if named.is_new else "the same as the kept"
    console.print(f"{kept} run {named.name}", soft_wrap=True)


def _show(console: Console, result: RequirementResult) -> None:
    """Print a requirement: two short lines."""
    console.print(f"{result.state.replace('_', ' ')}: {result.name}, {bar_text(result)}")
    if result.state == "not_measured":
        return
    counts = format_quantity(result.rows, "review" if result.reviews else "row")
    console.print(
        f"  {estimate_text(result)} ({interval_text(result)}), {counts}; "
        f"finds {number_text(result, result.mde)}",
        soft_wrap=True,
    )
    if result.changed is not None:
        found = result.changed
        console.print(
            f"  {found.gained} rows only the candidate passes, {found.lost} only the baseline "
            f"(McNemar p = {found.p_value:.3f})",
            soft_wrap=True,
        )


def _show_segments(console: Console, named: NamedRun) -> None:
    """Print the segments that fail, and how many there are."""
    decision = named.run.decision
    failed = [each for each in decision.segments if each.state == "fails"]
    if decision.segments or decision.small_segments:
        console.print(
            f"{format_quantity(len(decision.segments), 'segment')} tested, {len(failed)} fail; "
            f"{decision.small_segments} have too few rows"
        )
    if failed:
        table = Table("segment", "bar", "estimate", "bounds", box=box.SIMPLE_HEAD)
        for each in failed:
            table.add_row(
                escape_controls(each.name), bar_text(each), estimate_text(each), interval_text(each)
            )
        console.print(table)


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
            what, count = (
                ("review", each.more_reviews) if each.more_reviews else ("row", each.more_rows)
            )
            short = "no number of rows" if count is None else f"{format_quantity(count, what)} more"
            console.print(f"  to find {number_text(shown, each.sought)}: {short}", soft_wrap=True)
