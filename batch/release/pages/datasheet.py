"""The datasheet: what is in a release, how it was chosen, and what it can and cannot show.

After Gebru et al., Datasheets for Datasets (CACM 64, 2021), with the design of the sample and its
power, which decide what a comparison on the release is worth.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from batch.release.format.manifest import (
    ANY_LABEL,
    PopulationFacts,
    PreviousFacts,
    ReleaseFacts,
    StratumFacts,
    population_name,
)
from batch.release.format.rows import HOLDOUT, SAMPLE, ReleaseRow
from batch.release.pages.chart import ShareGroup, SharePair, draw_shares
from batch.release.pages.failure_rate import failure_rate_blocks
from batch.release.pages.gaps import gap_blocks
from batch.release.pages.markup import (
    Block,
    Figure,
    Grid,
    Heading,
    Text,
    count_of,
    format_share,
)
from batch.release.pages.power import FLIPS, detectable_difference
from batch.release.pages.weighted_mean import WeightedMean, WeightedValue, estimate_mean

_SHOWN: Final = 12
_NOTHING: Final = "-"
_LEFT_OUT: Final = {
    "outside_where": "that do not meet `where`",
    "on_both_sides": "that would link users or conversations of both sides",
    "over_share": "above the share that the spec allows in their stratum",
    "near_duplicates": "as near-duplicates of others",
}
Rows = Sequence[ReleaseRow]


def datasheet_blocks(
    facts: ReleaseFacts, version: str, previous: PreviousFacts | None, rows: Rows
) -> list[Block]:
    """Return the page of a version, from the facts of its manifest and its rows."""
    name = facts["name"]
    synthetic = [row for row in rows if row["generator"]]
    production = [row for row in rows if not row["generator"]]
    description = facts["spec"]["description"]
    return [
        Heading(f"{name} {version}", 1),
        *([Text(description)] if description else []),
        *_contents(facts, previous, production),
        *_synthetic(facts, synthetic),
        *_erasures(facts),
        *_design(facts),
        *_labels(facts, production),
        *_segments(facts, production),
        *_power(production),
        *_personal_data(facts, [*production, *synthetic]),
        *gap_blocks(facts, production),
        *_origin(facts, name, version),
    ]


def _with_expectations(facts: ReleaseFacts) -> list[tuple[str, str]]:
    files = (
        ("with the documents that were right", facts.get("expected_documents")),
        ("with the tool calls that would have been right", facts.get("expected_calls")),
    )
    return [(text, str(said["rows"])) for text, said in files if said is not None]


def _contents(facts: ReleaseFacts, previous: PreviousFacts | None, rows: Rows) -> list[Block]:
    drawn = Counter(row["drawn"] for row in rows)
    split = Counter(row["split"] for row in rows)
    window = facts["spec"]["window"]
    blocks: list[Block] = [
        Heading("What is in it"),
        Text(
            f"{count_of(len(rows), 'trace', 'traces')} of production, at most one per "
            f"{facts['spec']['one_per']}, started from {window['from']} to {window['to']} (UTC, "
            "the end not included). Each has its messages, response, tools and documents, its "
            "label, the probability with which it was drawn, and its origin."
        ),
        Grid(
            ("rows", ""),
            [
                *((f"drawn as {key}", str(n)) for key, n in sorted(drawn.items())),
                *((f"on the {key} side", str(n)) for key, n in sorted(split.items())),
                (
                    "with an expected response",
                    str(sum(row["expected_response"] is not None for row in rows)),
                ),
                *_with_expectations(facts),
            ],
        ),
    ]
    if split[HOLDOUT]:
        blocks.append(Text("No conversation and no user is on both sides of the holdout line."))
    if previous is None:
        return [*blocks, Text("This is the first release of this name.")]
    counts = ", ".join(f"{n} {key}" for key, n in previous["changes"].items() if n)
    why = "".join(f" Since {reason}." for reason in previous.get("why", []))
    return [
        *blocks,
        Text(f"Compared with {previous['version']}: {counts or 'the same rows'}.{why}"),
    ]


def _synthetic(facts: ReleaseFacts, rows: Rows) -> list[Block]:
    """Describe the synthetic rows; no other number of the page counts them."""
    synthetic, rule = facts.get("synthetic"), facts["spec"].get("synthetic")
    if synthetic is None or rule is None:
        return []
    left = ", ".join(f"{n} {_LEFT_OUT[reason]}" for reason, n in synthetic["left_out"].items())
    labels = Counter(row["label"] for row in rows)
    return [
        Heading("Synthetic rows"),
        Text(
            f"{count_of(len(rows), 'more row is', 'more rows are')} not from production: "
            f"`{synthetic['generator']}` made them. The column `generator` names it. They have no "
            "weight, and no other number of this page counts them, except those of redaction "
            f"policies. They are at most {rule['max_share']:.0%} of the rows of each stratum. "
            f"{count_of(synthetic['offered'], 'row was', 'rows were')} offered (SHA-256 of the "
            f"file `{synthetic['sha256']}`); {f'left out: {left}' if left else 'all were added'}."
        ),
        Grid(("label", "synthetic rows"), [(k, str(n)) for k, n in sorted(labels.items())]),
    ]


def _erasures(facts: ReleaseFacts) -> list[Block]:
    """Describe what was erased since the rows were drawn, and the effect on numbers."""
    erasures = facts.get("erasures", [])
    if not erasures:
        return []
    gone = sum(erasure["rows"] for erasure in erasures)
    return [
        Text(
            f"{count_of(gone, 'row was', 'rows were')} erased since this sample was drawn, at the "
            f"request of the persons concerned; no version holds {'it' if gone == 1 else 'them'} "
            "any more. The remaining rows have kept their weights, which estimate the remaining "
            "traces. Counts of production on this page date from before and include those persons. "
            "Build again for a new sample.",
            note=True,
        )
    ]


def _design(facts: ReleaseFacts) -> list[Block]:
    spec, strata = facts["spec"], facts["design"]["strata"]
    rule = spec["allocation"]
    how = {
        "proportional": "in proportion to their numbers",
        "equal": "evenly",
        "error_biased": "in proportion to their numbers, with failed answers and errors weighted "
        f"{rule['error_factor']:g} times",
    }[rule["by"]]
    rows = [
        (
            stratum["name"],
            str(stratum["traces"]),
            str(stratum["clusters"]),
            str(stratum["drawn"]),
            str(stratum["near_duplicates"]),
            str(stratum["rows"]),
            format_share(stratum["cluster_probability"]),
        )
        for stratum in sorted(strata, key=lambda s: -s["traces"])
    ]
    return [
        Heading("How it was chosen"),
        Text(
            f"{count_of(facts['population']['traces'], 'trace', 'traces')} could be drawn: "
            f"{population_name(spec)}. They were stratified by "
            f"{', '.join(spec['strata']) or 'nothing'}; each stratum has at least "
            f"{rule['floor']} of its {spec['one_per']}s, or all it has, and the rest was allocated "
            f"{how}. Within a stratum a keyed hash with seed {spec['seed']} decides, so the same "
            "lake gives the same rows. `weight` is the number of these traces that a row "
            "represents: use it to estimate anything about them; leave it out to compare two "
            f"systems on these rows.{_kept_at_random(facts['population'])}"
        ),
        Grid(
            ("stratum", "traces", f"{spec['one_per']}s", "drawn", "duplicates", "rows", "chance"),
            rows[: _SHOWN * 5],
        ),
    ]


def _kept_at_random(population: PopulationFacts) -> str:
    """Say what the weights add up to, where traces were sampled before they were stored."""
    represents = population.get("represents")
    if represents is None:
        return ""
    return (
        " A part of the traces was kept at random before they were stored (head or tail sampling "
        "of OpenTelemetry). The weights count the others too, by the inverse of the probability "
        f"with which each trace was kept: they add up to about {represents:.0f} traces. "
        "`inclusion_probability` includes that probability."
    )


def _labels(facts: ReleaseFacts, rows: Rows) -> list[Block]:
    sample = [row for row in rows if row["weight"] is not None]
    table = []
    for label in ANY_LABEL:
        count = sum(row["label"] == label for row in rows)
        share = _production_share(facts["design"]["strata"], sample, label)
        if count or share != _NOTHING:
            table.append((label, str(count), format_share(count / len(rows)), share))
    confidences = [row["confidence"] for row in rows if row["confidence"] is not None]
    mean = (
        f" Mean confidence of the labels: {sum(confidences) / len(confidences):.2f}."
        if confidences
        else ""
    )
    policies = sorted({row["label_policy"] for row in rows if row["label_policy"]})
    decided = f" Decided by {', '.join(policies)}." if policies else ""
    traces = f"{facts['population']['traces']} {population_name(facts['spec'])}"
    return [
        Heading("Labels"),
        Grid(("label", "rows", "share of rows", "share of the traces (95 % interval)"), table),
        Text(
            f"The traces are the {traces}. Labels are decided from feedback and reviews, not by "
            f"experts row by row.{decided}{mean}"
        ),
        *failure_rate_blocks(facts["population"]),
    ]


def _production_share(strata: Sequence[StratumFacts], sample: Rows, label: str) -> str:
    """Return the share of a label among the traces: counted if it is a stratum, else estimated.

    The counts of strata are those of the selection in the lake, without sampling error.
    """
    if strata and "label" in strata[0]["values"]:
        traces = sum(_represented(s) for s in strata if s["values"]["label"] == label)
        total = sum(_represented(s) for s in strata)
        return f"{traces / total:.1%} (counted)" if traces else _NOTHING
    estimate = _estimate(sample, lambda row: row["label"] == label)
    if estimate is None:
        return _NOTHING
    return f"{estimate.mean:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"


def _represented(stratum: StratumFacts) -> float:
    return stratum.get("represents", stratum["traces"])


def _estimate(sample: Rows, holds: Callable[[ReleaseRow], bool]) -> WeightedMean | None:
    return estimate_mean(
        [
            WeightedValue(
                row["stratum"] or "",
                row["weight"],
                row["inclusion_probability"],
                float(holds(row)),
            )
            for row in sample
            if row["weight"] is not None and row["inclusion_probability"] is not None
        ]
    )


def _segments(facts: ReleaseFacts, rows: Rows) -> list[Block]:
    strata = facts["design"]["strata"]
    sizes = Counter(row["stratum"] for row in rows if row["drawn"] == SAMPLE)
    groups = [
        ShareGroup(column, _pairs(strata, sizes, column)) for column in facts["spec"]["strata"]
    ]
    if not groups:
        return []
    table = [
        (group.column, pair.value, format_share(pair.production), format_share(pair.release))
        for group in groups
        for pair in group.pairs
    ]
    return [
        Heading("Segments against the traces that it speaks for"),
        Figure(
            draw_shares(groups, "Share of each segment among the traces and in the release"),
            "The chart is in datasheet.html.",
        ),
        Grid(("column", "value", "the traces", "release"), table, numbers_from=2),
    ]


def _pairs(
    strata: Iterable[StratumFacts], sizes: Mapping[str | None, int], column: str
) -> list[SharePair]:
    traces: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for stratum in strata:
        value = stratum["values"][column]
        shown = "(none)" if value is None else value
        traces[shown] += stratum["traces"]
        rows[shown] += sizes.get(stratum["name"], 0)
    all_traces, all_rows = sum(traces.values()) or 1, sum(rows.values()) or 1
    pairs = [
        SharePair(value, n / all_traces, rows[value] / all_rows) for value, n in traces.items()
    ]
    pairs.sort(key=lambda pair: (-pair.production, pair.value))
    if len(pairs) <= _SHOWN:
        return pairs
    rest = pairs[_SHOWN - 1 :]
    others = SharePair(
        f"{len(rest)} others", sum(p.production for p in rest), sum(p.release for p in rest)
    )
    return [*pairs[: _SHOWN - 1], others]


def _power(rows: Rows) -> list[Block]:
    sides = Counter(row["split"] for row in rows)
    sizes = {"all rows": len(rows)}
    if len(sides) > 1:
        sizes |= {f"{side} side": n for side, n in sorted(sides.items())}
    table = []
    for part, size in sizes.items():
        differences = [detectable_difference(size, flips) for flips in FLIPS]
        shown = ("none" if d is None else f"{d:.1%}" for d in differences)
        table.append((part, str(size), *shown))
    return [
        Heading("What difference it can show"),
        Text(
            "Two systems that answer the same rows are compared by the rows on which they differ. "
            "The table gives the smallest difference of their pass rates that is detected four "
            "times in five (exact McNemar test, 5 %, two-sided), if they differ on 10, 20 or 30 % "
            "of the rows. A smaller one is probably missed: then the comparison is inconclusive, "
            "and does not show that they are equal."
        ),
        Grid(("", "rows", *(f"{flips:.0%} differ" for flips in FLIPS)), table),
    ]


def _personal_data(facts: ReleaseFacts, rows: Rows) -> list[Block]:
    policies = Counter(row["_policy"] for row in rows)
    accepted = facts["spec"]["redaction_policies"]
    rule = (
        "The spec accepts rows of any redaction policy."
        if isinstance(accepted, str)
        else f"The spec accepts only rows of the policies {', '.join(f'`{p}`' for p in accepted)}."
    )
    mixed = (
        f"The rows were stored under {len(policies)} redaction policies: the same value may be "
        "replaced in some rows and kept in others, and the same person may have two stand-ins. "
        "`goldpan lake scan` counts what today's policy would still replace."
    )
    return [
        Heading("Personal data"),
        Text(
            "The rows are as stored in the lake: they were redacted before, under the policies "
            f"below. {rule} docs/what-is-found.md of goldpan lists what redaction is known to miss."
        ),
        *([Text(mixed, note=True)] if len(policies) > 1 else []),
        Grid(
            ("redaction policy (hash)", "rows"),
            [(f"`{policy}`", str(n)) for policy, n in sorted(policies.items())],
        ),
    ]


def _origin(facts: ReleaseFacts, name: str, version: str) -> list[Block]:
    code = ", ".join(f"{key} {value}" for key, value in facts["code"].items())
    return [
        Heading("Where it comes from"),
        Grid(
            ("table", "version", "as of"),
            [(t, str(s["version"]), s["as_of"] or "-") for t, s in facts["lake"].items()],
        ),
        Text(
            f"Built with {code}. Spec `{facts['spec_sha256']}`, rows `{facts['rows_sha256']}`. "
            f"`goldpan release verify {name}@{version}` proves all of it, or offline "
            "`goldpan release verify FOLDER`."
        ),
    ]
