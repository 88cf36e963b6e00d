"""Compares redaction, compiled and pure, with an earlier version and with stock Presidio.

    python -m benchmarks.redaction [--before CHECKOUT] [--compiled FOLDER] [--rounds 3] [--short]

CHECKOUT is a folder with the earlier version (`git worktree add --detach FOLDER COMMIT`). FOLDER
has a compiled build of this version: `make wheel`, then
`pip install --no-deps --target FOLDER dist/goldpan-*.whl`. Without it one is made and kept.

Each version runs in a process of its own. Portions of records, and conversations, take turns, so
that all meet the same load of the machine. All figures are CPU time, and only ratios carry over to
other machines. Printed are

- hashes of rows, refusals and audit of generated, real and hostile records; if the two builds
  differ in one, or the compiled build has not loaded compiled modules, the exit code is 1;
- CPU-seconds a million records of 1.8 kB that redaction and its audit add, as a whole and by stage,
  after a thousand records as warm-up: medians of the rounds, of the costs and of their ratios;
- how many times stock Presidio takes, with the same recognisers and without a model, for text never
  seen and for conversations whose every trace has the history;
- the peak of memory after each quarter of a run; the caches are full after some 200 MB of text.
"""

import gc
import multiprocessing
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Final, NamedTuple

import click

from benchmarks.compiled_folder import find_compiled
from benchmarks.hostile_texts import hostile
from benchmarks.options import CHECKOUT, COUNT
from benchmarks.python_build import describe_python
from benchmarks.redaction_costs import KEYS, STAGES, audited, batches, policy, texts_of
from benchmarks.varied_traffic import CONVERSATIONS, endless, renamed, reworded
from benchmarks.versions import Version
from goldpan.demo.traffic import make_traces, read_conversations
from redact.pipeline.policy_redactor import PolicyRedactor
from stream.memory import COLLECTOR_THRESHOLD

NOW: Final = 1_760_000_000_000_000
PORTION: Final = 250
ALL: Final = "all"
CASES: Final = tuple((kind, model) for kind in ("alike", "varied") for model in ("none", "shipped"))
_MEASURING: Final = ("redaction_costs.py", "versions.py")
_HERE: Final = Path(__file__).parents[1]
_REAL: Final = _HERE.parent / "shared" / "data" / "agent_conversations" / "airline.jsonl"
_PURE, _COMPILED, _BEFORE = "pure", "compiled", "before"

Costs = Mapping[str, Mapping[str, float]]
"""CPU-seconds a million records: of each version, by stage, and as a whole."""


class Scale(NamedTuple):
    """How much is measured."""

    rounds: int
    warm_up: int
    records: int
    outcomes: int
    conversations: int
    traces: int
    """The most traces of a conversation."""
    megabytes: int


LONG: Final = Scale(3, 1_000, 2_000, 1_000, len(CONVERSATIONS), 1_000, 1_024)
SHORT: Final = Scale(1, 10, 20, 10, 1, 2, 0)
SHORT_CASES: Final = CASES[-1:]


@contextmanager
def open_versions(before: Path | None, compiled: Path) -> Iterator[dict[str, Version]]:
    """Start the versions; all are measured by modules of this one, each with its own reference."""
    with ExitStack() as stack:
        own = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (own / "benchmarks").mkdir()
        for name in _MEASURING:
            (own / "benchmarks" / name).symlink_to(_HERE / "benchmarks" / name)
        folders = {_PURE: [_HERE], _COMPILED: [compiled, _HERE]}
        if before is not None:
            folders = {_BEFORE: [before], **folders}
        script = [str(own / "benchmarks" / _MEASURING[0])]
        yield {
            name: stack.enter_context(Version(script, [own, *rooms], PYTHONHASHSEED="0"))
            for name, rooms in folders.items()
        }


def check_modules(versions: Mapping[str, Version]) -> None:
    """Print how many modules of redaction run compiled; raise UsageError if it is the wrong way."""
    for name, version in versions.items():
        compiled, total = version.do("modules")
        click.echo(f"{name:<9} {compiled} of {total} modules of redaction are compiled")
        if (version.build == _COMPILED, compiled > 0) != (name == _COMPILED,) * 2:
            raise click.UsageError(f"redaction runs {version.build} where it must run {name}")


def outcome_records(count: int, real: Path | None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield generated, real and hostile records with their origin."""
    for kind in ("varied", "alike"):
        yield f"generated, {kind}", list(islice(endless(alike=kind == "alike"), count))
    spoken = [trace for each in CONVERSATIONS for trace in make_traces(each, started_at=NOW)]
    yield "real, shipped", spoken[:count]
    if real is not None:
        others = read_conversations(real.read_text(encoding="utf-8").splitlines())
        more = (trace for each in others for trace in make_traces(each, started_at=NOW))
        yield "real, others", list(islice(more, count))
    chance = Random(1)  # noqa: S311  # not for secrets
    yield "hostile", [{**spoken[0], "response": hostile(chance)} for _ in range(count)]


def compare_outcomes(versions: Mapping[str, Version], count: int, real: Path | None) -> bool:
    """Print the hashes of what becomes of records; return whether both builds agree."""
    both = {name: versions[name] for name in (_PURE, _COMPILED)}
    agreed = True
    click.echo("\n| records | build | passed | refused | `_policy` | rows | refusals | audit |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for origin, records in outcome_records(count, real):
        found = {name: each.do("outcomes", "", "shipped", records) for name, each in both.items()}
        agreed &= found[_PURE] == found[_COMPILED]
        for name, (policy_hash, *hashes, passed, refused) in found.items():
            cells = [origin, name, f"{passed:,}", f"{refused:,}", policy_hash, *hashes]
            click.echo(f"| {' | '.join(cells)} |")
    click.echo(f"results of both builds are {'equal' if agreed else 'DIFFERENT'}")
    return agreed


def measure_costs(versions: Mapping[str, Version], kind: str, model: str, scale: Scale) -> Costs:
    """Return the costs of each version in one case; portions take turns."""
    traffic = endless(alike=kind == "alike")
    warm_up = list(islice(traffic, scale.warm_up))
    for version in versions.values():
        version.do("added", kind, model, warm_up)
    spent: dict[str, Counter[str]] = {name: Counter() for name in versions}
    size = min(PORTION, scale.records)
    portions = scale.records // size
    for _ in range(portions):
        whole, by_stage = (list(islice(traffic, size)) for _ in range(2))
        for name, version in versions.items():
            spent[name][ALL] += version.do("added", kind, model, whole)
        for name, version in versions.items():
            spent[name].update(version.do("stages", kind, model, by_stage))
    return {
        name: {stage: seconds / (portions * size) * 1e6 for stage, seconds in own.items()}
        for name, own in spent.items()
    }


def show_costs(kind: str, model: str, rounds: Sequence[Costs]) -> None:
    """Print the costs of a case, and their ratios."""
    names = list(rounds[0])
    pairs = [(_COMPILED, _PURE), (_PURE, _BEFORE), (_COMPILED, _BEFORE)]
    pairs = [pair for pair in pairs if set(pair) <= set(names)]
    ratios = [f"{own} / {other}" for own, other in pairs]
    click.echo(f"\n| {kind}, model {model} | {' | '.join([*names, *ratios])} |")
    click.echo(f"|---{'|---' * (len(names) + len(ratios))}|")
    for stage in (*STAGES, ALL):
        cells = [f"{median(each[name][stage] for each in rounds):.0f}" for name in names]
        cells += [
            f"{median(each[own][stage] / each[other][stage] for each in rounds):.2f}"
            for own, other in pairs
        ]
        click.echo(f"| {stage} | {' | '.join(cells)} |")


def compare_with_stock(versions: Mapping[str, Version], scale: Scale) -> None:
    """Compare each version with stock Presidio; conversations take turns."""
    found: dict[str, Counter[str]] = {name: Counter() for name in versions}
    for conversation in CONVERSATIONS[: scale.conversations]:
        traces = make_traces(conversation, started_at=NOW)[: scale.traces]
        for name, version in versions.items():
            found[name].update(version.do("stock", traces))
    click.echo(f"\n| stock Presidio, same recognisers | {' | '.join(versions)} |")
    click.echo(f"|---{'|---' * len(versions)}|")
    for label, cells in _stock_lines(list(found.values())):
        click.echo(f"| {label} | {' | '.join(cells)} |")


def _stock_lines(found: Sequence[Mapping[str, float]]) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the lines of the comparison; each has a cell for each version.

    Stock Presidio remembers nothing, so its time for traces with their history follows from that
    for a character.
    """
    a_character = [each["stock"] / each["distinct_characters"] for each in found]
    yield "its time, ms/kB", [f"{seconds * 1e6:.1f}" for seconds in a_character]
    fresh = [each["stock"] / each["fast"] for each in found]
    past = [
        seconds * each["characters"] / each["whole"]
        for seconds, each in zip(a_character, found, strict=True)
    ]
    for label, speeds in (("text never seen", fresh), ("traces with their history", past)):
        yield f"{label}, times as fast", [f"{speed:.1f}" for speed in speeds]
        yield f"{label}, against the first version", [f"{x / speeds[0]:.2f}" for x in speeds]
    yield (
        "characters, and the distinct ones",
        [f"{each['characters']:,.0f}, {each['distinct_characters']:,.0f}" for each in found],
    )
    yield "findings that differ", [f"{each['differ']} of {each['texts']} texts" for each in found]


def memory(megabytes: int) -> None:
    """Print how much the process grows over text in which no conversation repeats."""
    gc.freeze()
    gc.set_threshold(COLLECTOR_THRESHOLD)
    redactor = PolicyRedactor(policy("shipped"), KEYS, audit=True)
    done = seed = 0
    peaks: list[int] = []
    while done < megabytes * 1_000_000:
        seed += 1
        for conversation in CONVERSATIONS:
            copy = reworded(renamed(conversation, 1_000_000 + seed), seed)
            traces = list(make_traces(copy, started_at=NOW, seed=seed))
            done += sum(len(text) for trace in traces for text in texts_of(trace))
            for batch in batches(traces):
                audited(redactor, batch)
        if done > (len(peaks) + 1) * megabytes * 250_000:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    peaks_shown = " / ".join(map(str, peaks))
    click.echo(f"peak memory after each quarter of {megabytes} MB   {peaks_shown} MB", nl=True)


_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--before", type=CHECKOUT, help="An earlier version.")
@click.option("--compiled", type=_FOLDER, help="A compiled build of this version.")
@click.option("--real", type=click.Path(path_type=Path), default=_REAL, help="Conversations.")
@click.option("--rounds", type=COUNT)
@click.option("--records", type=COUNT, help="Records of each case, and as many by stage.")
@click.option("--outcomes", type=COUNT, help="Records of each kind whose results are hashed.")
@click.option("--conversations", type=COUNT, help="Compared with stock.")
@click.option("--megabytes", type=COUNT, help="Text for the memory's figure.")
@click.option("--short", is_flag=True, help="A few records, to see that it works.")
def main(
    before: Path | None, compiled: Path | None, real: Path, *, short: bool, **chosen: int | None
) -> None:
    """Print the figures of docs/redaction.md."""
    scale = (SHORT if short else LONG)._replace(
        **{name: value for name, value in chosen.items() if value is not None}
    )
    cases = SHORT_CASES if short else CASES
    click.echo(describe_python())
    build = find_compiled(compiled)
    earlier = before and before.resolve()
    agreed = True
    rounds: list[list[Costs]] = []
    for number in range(scale.rounds):
        with open_versions(earlier, build) as versions:
            if number == 0:
                check_modules(versions)
                agreed = compare_outcomes(versions, scale.outcomes, real if real.exists() else None)
                compare_with_stock(versions, scale)
            rounds.append([measure_costs(versions, *case, scale) for case in cases])
    for case, costs in zip(cases, zip(*rounds, strict=True), strict=True):
        show_costs(*case, costs)
    if scale.megabytes:
        # Its peak is that of a process, so it gets one of its own.
        alone = multiprocessing.get_context("spawn").Process(target=memory, args=(scale.megabytes,))
        alone.start()
        alone.join()
    sys.exit(int(not agreed))


if __name__ == "__main__":
    main()
