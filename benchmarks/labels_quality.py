"""Labels against a known truth: calibrated, by the priors alone, and "thumbs down is fail".

python -m benchmarks.labels_quality [--seeds 20] [--reviews 200]

Real conversations with made-up signals; the process is written in tests/labels/simulation.py. A
calibration is learnt on one half of the tasks and judged on the other.
"""

import statistics
from collections.abc import Callable, Sequence

import click

from labels.diagnostics import Judged, brier, calibration_error, score_labels
from labels.evidence import Scales
from labels.learn import learn
from labels.policy import parse_policy
from tests.labels.simulation import Played, decided, judged, play, population, reviews, truths

POLICY = parse_policy("extends: agent\nname: simulated\naudit: {rate: 0.08}\n", "simulated")
Numbers = dict[str, float]


def measured(seed: int, count: int) -> dict[str, Numbers]:
    """Return what each way of labelling comes to in one simulation."""
    to_learn, to_test = truths()
    priors = Scales(POLICY)
    past = play(to_learn, 3_000 // len(to_learn), seed, "past")
    events = decided(past, priors)
    found = reviews(past, events, priors, count)
    learnt = Scales(POLICY, learn(POLICY, found, population(events, priors), version=1))
    test = play(to_test, 3_000 // len(to_test), seed, "test")
    down = [any(s.kind == "thumbs" and s.value == -1 for s in item.known.said) for item in test]
    said = [Judged(float(d), item.failed) for d, item in zip(down, test, strict=True)]
    return {
        "thumbs down is fail": _numbers(test, said, ["fail" if d else "pass" for d in down]),
        "policy, priors only": _of_scales(test, priors),
        f"after {count} reviews": _of_scales(test, learnt),
    }


def _of_scales(test: list[Played], scales: Scales) -> Numbers:
    events = decided(test, scales)
    labels = [event.label if event is not None else "unknown" for event in events]
    return _numbers(test, judged(test, events, scales), labels)


def _numbers(test: list[Played], said: Sequence[Judged], labels: Sequence[str]) -> Numbers:
    score = score_labels(labels, [item.failed for item in test])
    return {
        "Brier": brier(said),
        "calibration error": calibration_error(said),
        "F1 of fail": score.f1,
        "precision": score.precision,
        "recall": score.recall,
        "abstained": score.abstained,
    }


@click.command()
@click.option("--seeds", default=20, show_default=True)
@click.option("--reviews", "count", default=200, show_default=True)
def main(*, seeds: int, count: int) -> None:
    """Print means over the simulations."""
    runs = [measured(seed, count) for seed in range(seeds)]
    for way in runs[0]:
        shown = "  ".join(
            f"{name} {_over(runs, way, name, statistics.mean):.3f}" for name in runs[0][way]
        )
        click.echo(f"{way:>22}: {shown}")
    last = list(runs[0])[-1]
    below = sum(run[last]["calibration error"] <= 0.05 for run in runs)
    worst = _over(runs, last, "calibration error", max)
    click.echo(f"calibration error at most .05 in {below} of {seeds}, at worst {worst:.3f}")


def _over(
    runs: list[dict[str, Numbers]], way: str, name: str, what: Callable[[list[float]], float]
) -> float:
    return what([run[way][name] for run in runs])


if __name__ == "__main__":
    main()
