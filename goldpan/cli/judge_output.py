"""The output of ``goldpan judge``, for people and programs."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table

from batch.judge.agreement_report import JudgeAgreementReport
from batch.judge.cost_estimate import RunEstimate
from batch.judge.judge_plan import JudgePlan
from batch.judge.run_report import JudgeRunReport
from batch.judge.verdict_import import ImportedVerdicts
from goldpan.cli.formatting import format_count, format_quantity
from goldpan.cli.plain_console import escape_controls
from judges.definition import JudgeDefinition
from judges.outcome import OUTCOMES, OutcomeCounts
from judges.ways import ChatWay, DecisionWay, JudgeWay
from judges.weighted_rate import RateEstimate

_SHOWN_REFUSALS: Final = 10
_SERVED: Final = (ChatWay, DecisionWay)
_WORDS: Final = {
    "as_judged": "as judged",
    "post_stratified": "as reviewers would say",
    "tuned": "as reviewers would say, by its probabilities",
}


def definition_json(definition: JudgeDefinition, answering: JudgeWay | None) -> dict[str, Any]:
    """Return what a judge asks, and its ways; ``answering`` is the one that answers here."""
    return {
        "judge": definition.judge,
        "version": definition.version,
        "asks": definition.asks,
        "reads": list(definition.reads),
        "digest": definition.digest,
        "way": None,
        "ways": [
            {"way": way.kind, "model": way.model, "answers": way is answering}
            for way in definition.by
        ],
        "misfits": dict(definition.misfits),
    }


def plan_json(plan: JudgePlan) -> dict[str, Any]:
    """Return by what a judge is answered."""
    return {
        "judge_digest": plan.judge_digest,
        "way": plan.way.kind,
        "model": plan.way.model,
        "wire": plan.way.wire,
        "thresholds": plan.thresholds.model_dump(mode="json"),
    }


def show_check(
    console: Console,
    definition: JudgeDefinition,
    plan: JudgePlan | None,
    estimate: RunEstimate | None,
) -> None:
    """Print what a judge asks, by what it is answered, and what a run would do."""
    console.print(f"judge {definition.judge}, version {definition.version}")
    console.print(f"asks: {escape_controls(definition.asks)}", soft_wrap=True)
    console.print(f"reads: {', '.join(definition.reads)}")
    for way in definition.by:
        mark = "answers" if plan is not None and way is plan.way else "does not answer here"
        reason = definition.misfits.get(f"{way.kind}: {way.model}")
        console.print(f"  {way.kind}: {way.model} ({reason or mark})", soft_wrap=True)
    if plan is None:
        variables = ", ".join(
            dict.fromkeys(w.url_env for w in definition.answerable if isinstance(w, _SERVED))
        )
        console.print(f"nothing that can answer it is configured here: set {variables}")
        return
    if definition.cost is None and plan.served_way is not None:
        console.print("no prices: add `cost` to the file, to see what a run costs")
    if estimate is not None:
        console.print(estimate_text(plan, estimate), soft_wrap=True)


def show_estimate(
    console: Console, plan: JudgePlan, estimate: RunEstimate, budget: float | None
) -> None:
    """Print what a run will ask and cost, before it begins."""
    limit = "" if budget is None else f"; it stops asking at ${budget:,.4g}"
    console.print(estimate_text(plan, estimate) + limit, soft_wrap=True)


def estimate_text(plan: JudgePlan, estimate: RunEstimate) -> str:
    """Return in one line what a run will ask and cost."""
    rows = format_quantity(estimate.rows, "row")
    if plan.served_way is None:
        return f"{rows}: nobody is asked, and nothing is paid"
    calls = format_quantity(estimate.calls, "call")
    tokens = format_count(estimate.input_tokens + estimate.output_tokens)
    parts = [f"{rows}: {calls} to {plan.way.model}, at most {tokens} tokens"]
    if estimate.cost_usd is not None:
        parts.append(f"about ${estimate.cost_usd:,.4g}")
    if estimate.mode_cost_usd and plan.modes:
        parts.append(f"up to ${estimate.mode_cost_usd:,.4g} more for failure modes")
    if estimate.known:
        parts.append(f"{format_count(estimate.known)} judged before")
    if estimate.equal:
        parts.append(f"{format_count(estimate.equal)} equal to others")
    return ", ".join(parts)


def show_run(
    console: Console, plan: JudgePlan, report: JudgeRunReport, data: Mapping[str, Any]
) -> None:
    """Print the outcomes and the estimates of a run."""
    definition = plan.definition
    console.print(
        f"judge {definition.judge}, version {definition.version}, by {plan.way.kind} "
        f"{plan.way.model}: {format_count(report.judged)} judged now, "
        f"{format_count(report.known)} before",
        soft_wrap=True,
    )
    _show_outcomes(console, report.counts)
    _show_estimates(console, data["estimates"], report)
    if report.not_sampled:
        console.print(
            f"{format_quantity(report.not_sampled, 'row')} in no estimate: named by the spec, or "
            "synthetic"
        )
    if len(report.epochs) > 1:
        epochs = ", ".join(
            f"{format_count(count)} in epoch {epoch}" for epoch, count in report.epochs.items()
        )
        console.print(
            f"the server has served several models: {epochs}. They do not compare by themselves; "
            "--new-epoch judges the older rows again",
            soft_wrap=True,
        )
    calls = report.calls
    if plan.served_way is not None:
        cost = "" if calls.cost_usd is None else f", ${calls.cost_usd:,.4g}"
        console.print(
            f"{format_quantity(calls.made, 'call')}{cost}; "
            f"{format_count(calls.cached)} answered by equal questions"
        )


def _show_outcomes(console: Console, counts: OutcomeCounts) -> None:
    numbers = counts.to_json()
    words = [f"{format_count(numbers[name])} {name.replace('_', ' ')}" for name in OUTCOMES]
    if counts.pending:
        words.append(f"{format_count(counts.pending)} pending")
    console.print(f"{format_quantity(counts.drawn, 'row')} drawn: {', '.join(words)}")
    for reason, count in counts.reasons.items():
        console.print(f"  error {reason.replace('_', ' ')}: {format_count(count)}")


def _show_estimates(
    console: Console, estimates: Sequence[Mapping[str, Any]], report: JudgeRunReport
) -> None:
    for each in estimates:
        if each["estimate"] is None:
            console.print("no row was decided, so there is no share of good answers")
            continue
        line = (
            f"good, {_WORDS[each['method']]}: {each['estimate']:.1%} "
            f"({each['low']:.1%} to {each['high']:.1%})"
        )
        if each["reviews"]:
            line += f", by {format_quantity(each['reviews'], 'review')}"
        elif report.counts.unknown or report.counts.error:
            line += f"; unknown and error allow {each['least']:.1%} to {each['most']:.1%}"
        console.print(line, soft_wrap=True)
    if len(estimates) == 1:
        console.print(
            "too few reviews with a known probability to say what reviewers would say "
            "(`goldpan review next`)",
            soft_wrap=True,
        )


def show_agreement(console: Console, reports: Sequence[JudgeAgreementReport]) -> None:
    """Print each judge against reviewers."""
    if not reports:
        console.print("no judge has judged anything yet: `goldpan judge run`")
    for report in reports:
        identity = report.identity
        version = "imported" if identity.version is None else f"version {identity.version}"
        by = "" if identity.way is None else f", by {identity.way}"
        model = "" if identity.model is None else f" {escape_controls(identity.model)}"
        console.print(f"judge {identity.judge}, {version}{by}{model}", soft_wrap=True)
        _show_outcomes(console, report.run.counts)
        console.print(report.sentence, soft_wrap=True)
        agreement = report.agreement
        if agreement.reviews:
            console.print(_confusion(report))
            for name in ("agreement", "sensitivity", "specificity"):
                console.print(f"{name}: {_share(getattr(agreement, name))}")
            if agreement.ac1 is not None:
                ac1 = agreement.ac1
                console.print(f"AC1: {ac1.estimate:.2f} ({ac1.low:.2f} to {ac1.high:.2f})")
        if report.unfair:
            reviews = format_quantity(report.unfair, "review")
            console.print(f"{reviews} without a known probability: not counted")
        if report.flips.rows:
            console.print(
                f"flips on {format_quantity(report.flips.rows, 'row')} judged repeatedly: "
                f"{_share(report.flips.flips)}"
            )
        for epoch, part in report.epochs.items() if len(report.epochs) > 1 else ():
            names = ", ".join(report.served.get(int(epoch), ()))
            console.print(
                f"epoch {epoch} ({escape_controls(names)}): agreement {_share(part.agreement)}",
                soft_wrap=True,
            )
        thresholds = report.thresholds
        if thresholds is not None:
            console.print(
                f"thresholds for at most {thresholds.at_most_wrong:.0%} wrong: "
                f"pass_at_most {_threshold(thresholds.pass_at_most)}, "
                f"fail_at_least {_threshold(thresholds.fail_at_least)}",
                soft_wrap=True,
            )
        console.print()


def _confusion(report: JudgeAgreementReport) -> Table:
    table = Table("judge", "reviewers: good", "bad", box=box.SIMPLE_HEAD)
    for outcome in OUTCOMES:
        good, bad = (report.agreement.confusion.get((outcome, said), 0) for said in ("good", "bad"))
        if good or bad:
            table.add_row(outcome.replace("_", " "), format_count(good), format_count(bad))
    return table


def _share(rate: RateEstimate) -> str:
    if rate.estimate is None or rate.low is None or rate.high is None:
        return "no rows"
    return f"{rate.estimate:.1%} ({rate.low:.1%} to {rate.high:.1%})"


def _threshold(value: float | None) -> str:
    return "none" if value is None else f"{value:.3g}"


def show_import(console: Console, report: ImportedVerdicts) -> None:
    """Print what came of a file of verdicts."""
    console.print(
        f"{format_quantity(report.added, 'verdict')} added, "
        f"{format_count(report.already_known)} already there"
    )
    for outcome, count in report.outcomes.items():
        console.print(f"  {outcome.replace('_', ' ')}: {format_count(count)}")
    if report.refused:
        console.print(f"{format_quantity(len(report.refused), 'line')} refused:")
        for number, reason in list(report.refused.items())[:_SHOWN_REFUSALS]:
            console.print(f"  line {number}: {reason}", soft_wrap=True)
