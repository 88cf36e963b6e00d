"""Compares labels with a known truth: calibrated, by the priors, and "thumbs down is fail".

python -m benchmarks.labels_quality [--seeds 20] [--reviews 200] [--off 1.0]

Uses real conversations with simulated signals (tests/labels/simulation.py). A calibration is
learned on one half of the tasks and tested on the other. The policy's weights happen to be close
to the truth; ``--off 2`` doubles them and ``--off 0.4`` cuts them, so that the priors are wrong.
"""

import statistics
from collections.abc import Callable, Sequence

import click

from labels.calibration_learning import learn_calibration
from labels.diagnostics import (
    JudgedPrediction,
    brier_score,
    calibration_error,
    calibration_error_by_chance,
)
from labels.policy import LabelPolicy, parse_label_policies
from labels.scorer import LabelScorer
from tests.labels.simulation import (
    Played,
    decided,
    judged,
    play,
    population,
    reviews,
    score_labels,
    truths,
)

POLICY = "extends: agent\nname: simulated\naudit: {rate: 0.08}\n"
Numbers = dict[str, float]


def policy(off: float) -> LabelPolicy:
    """Return the preset, the weights of the signals of the simulation ``off`` times as large."""
    base = parse_label_policies(POLICY, "simulated")[0]
    changed = dict(base.signals)
    for name in ("thumbs_up", "thumbs_down", "edit", "escalation"):
        rule = base.signals[name]
        ratio = (rule.sensitivity.mean / (1 - rule.specificity.mean)) ** off
        wrong = rule.specificity.model_copy(update={"mean": 1 - rule.sensitivity.mean / ratio})
        changed[name] = rule.model_copy(update={"specificity": wrong})
    return base.model_copy(update={"signals": changed})


def measured(seed: int, count: int, rules: LabelPolicy) -> dict[str, Numbers]:
    """Return the scores of each way of labelling in one simulation."""
    to_learn, to_test = truths()
    priors = LabelScorer(rules)
    past = play(to_learn, max(3_000, 15 * count) // len(to_learn), seed, "past")
    events = decided(past, priors)
    found = reviews(past, events, priors, count)
    learnt = LabelScorer(
        rules, learn_calibration(rules, found, population(events, priors), version=1)
    )
    test = play(to_test, 3_000 // len(to_test), seed, "test")
    down = [
        any(f.kind == "thumbs" and f.value == -1 for f in item.knowledge.feedback) for item in test
    ]
    predictions = [
        JudgedPrediction(float(d), item.failed) for d, item in zip(down, test, strict=True)
    ]
    return {
        "thumbs down is fail": _numbers(test, predictions, ["fail" if d else "pass" for d in down]),
        "policy, priors only": _of_scales(test, priors),
        f"after {count} reviews": _of_scales(test, learnt),
    }


def _of_scales(test: list[Played], scales: LabelScorer) -> Numbers:
    events = decided(test, scales)
    labels = [event.label if event is not None else "unknown" for event in events]
    return _numbers(test, judged(test, events, scales), labels)


def _numbers(
    test: list[Played], predictions: Sequence[JudgedPrediction], labels: Sequence[str]
) -> Numbers:
    score = score_labels(labels, [item.failed for item in test])
    return {
        "Brier": brier_score(predictions),
        "calibration error": calibration_error(predictions),
        "debiased": calibration_error(predictions, debiased=True),
        "by chance": calibration_error_by_chance(predictions),
        "F1 of fail": score.f1,
        "precision": score.precision,
        "recall": score.recall,
        "abstained": score.abstained,
    }


@click.command()
@click.option("--seeds", default=20, show_default=True)
@click.option("--reviews", "count", default=200, show_default=True)
@click.option("--off", default=1.0, show_default=True)
def main(*, seeds: int, count: int, off: float) -> None:
    """Print means over the simulations."""
    rules = policy(off)
    runs = [measured(seed, count, rules) for seed in range(seeds)]
    for way in runs[0]:
        shown = "  ".join(
            f"{name} {_over(runs, way, name, statistics.mean):.3f}" for name in runs[0][way]
        )
        click.echo(f"{way:>22}: {shown}")
    last = list(runs[0])[-1]
    errors = sorted(run[last]["calibration error"] for run in runs)
    below = sum(error <= 0.05 for error in errors)
    nine_tenths = errors[-(len(errors) // 10) - 1]
    click.echo(
        f"calibration error at most .05 in {below} of {seeds}; nine tenths are at most "
        f"{nine_tenths:.3f}, all at most {errors[-1]:.3f}"
    )


def _over(
    runs: list[dict[str, Numbers]], way: str, name: str, what: Callable[[list[float]], float]
) -> float:
    return what([run[way][name] for run in runs])


if __name__ == "__main__":
    main()
