"""The datasheet: what is in a release, how it was chosen, and what it can and cannot tell.

After Gebru et al., Datasheets for Datasets (CACM 64, 2021), with the design of the sample and its
power, which decide what a comparison on the release is worth.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from batch.release.pages.chart import ShareGroup, SharePair, draw_shares
from batch.release.pages.failure_rate import failure_rate_blocks
from batch.release.pages.markup import Block, Figure, Grid, Heading, Text
from batch.release.pages.power import FLIPS, detectable_difference
from batch.release.pages.weighted_mean import WeightedValue, estimate_mean
from batch.release.sampling.allocation import is_error_stratum
from batch.release.sampling.holdout_split import HOLDOUT
from batch.release.sampling.population import population_name
from batch.release.sampling.selection import SAMPLE

_LABELS: Final = ("pass", "fail", "unknown", "none")
_THIN: Final = 30
_SHOWN: Final = 12
_NOTHING: Final = "-"
Rows = Sequence[Mapping[str, Any]]


def datasheet_blocks(
    true: Mapping[str, Any], version: str, previous: Mapping[str, Any] | None, rows: Rows
) -> list[Block]:
    """Return the page of a release: ``true`` are its manifest's facts, ``rows`` JSON values."""
    name = true["name"]
    made = [row for row in rows if row["generator"]]
    rows = [row for row in rows if not row["generator"]]
    return [
        Heading(f"{name} {version}", 1),
        *([Text(true["spec"]["description"])] if true["spec"]["description"] else []),
        *_contents(true, previous, rows),
        *_synthetic(true, made),
        *_erased(true),
        *_choice(true),
        *_labels(true, rows),
        *_segments(true, rows),
        *_power(rows),
        *_personal_data(true, [*rows, *made]),
        *_gaps(true, rows),
        *_origin(true, name, version),
    ]


def _contents(
    true: Mapping[str, Any], previous: Mapping[str, Any] | None, rows: Rows
) -> list[Block]:
    drawn, split = (Counter(row[key] for row in rows) for key in ("drawn", "split"))
    window = true["spec"]["window"]
    told: list[Block] = [
        Heading("What is in it"),
        Text(
            f"{len(rows)} traces of production, at most one per {true['spec']['one_per']}, "
            f"begun from {window['from']} to {window['to']} (UTC, the end not included). Each has "
            "its messages, response, tools and documents, its label, how likely it was to be "
            "drawn, and where it came from."
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
            ],
        ),
    ]
    if split[HOLDOUT]:
        told.append(Text("No conversation and no user is on both sides of the holdout line."))
    if previous is None:
        return [*told, Text("This is the first release of this name.")]
    counts = ", ".join(f"{n} {key}" for key, n in previous["changes"].items() if n)
    why = "".join(f" Since {reason}." for reason in previous.get("why", []))
    return [*told, Text(f"Against {previous['version']}: {counts or 'the same rows'}.{why}")]


def _synthetic(true: Mapping[str, Any], made: Rows) -> list[Block]:
    """Say which rows are of nobody; no other number of this page counts them."""
    told = true.get("synthetic")
    if told is None:
        return []
    why = {
        "outside_where": "do not fit `where`",
        "on_both_sides": "would tie users or conversations of both sides together",
        "over_share": "were more than the share that the spec allows in their stratum",
        "near_duplicates": "were near-duplicates of others",
    }
    left = "; ".join(f"{n} {why[key]}" for key, n in told["left_out"].items())
    labels = Counter(row["label"] for row in made)
    return [
        Heading("Synthetic rows"),
        Text(
            f"{len(made)} more rows are not of production: `{told['generator']}` made them. They "
            "bear its name in the column `generator`, have no weight, and are counted in no other "
            "number of this page, but for that of redaction policies. They are at most "
            f"{true['spec']['synthetic']['max_share']:.0%} of the rows of each stratum. Of "
            f"{told['offered']} that were offered (SHA-256 of the file `{told['sha256']}`), "
            f"{left or 'all came in'}."
        ),
        Grid(("label", "synthetic rows"), [(k, str(n)) for k, n in sorted(labels.items())]),
    ]


def _erased(true: Mapping[str, Any]) -> list[Block]:
    """Say what was erased since the rows were drawn, and what that does to numbers."""
    told = true.get("erasures", [])
    if not told:
        return []
    gone = sum(one["rows"] for one in told)
    return [
        Text(
            f"{gone} rows were erased since this sample was drawn, because persons asked to be "
            "forgotten, and are in no version any more. The rows that are left have kept their "
            "weights, which estimate the traces that are left. Counts of production on this page "
            "are of the time before and have those persons in them. Build again for a new sample.",
            note=True,
        )
    ]


def _choice(true: Mapping[str, Any]) -> list[Block]:
    spec, strata = true["spec"], true["design"]["strata"]
    rule = spec["allocation"]
    how = {
        "proportional": "in proportion to their numbers",
        "equal": "evenly",
        "error_biased": "in proportion to their numbers, with failed answers and errors counted "
        f"{rule['error_factor']:g} times",
    }[rule["by"]]
    rows = [
        (
            stratum["name"],
            *(
                str(stratum[key])
                for key in ("traces", "clusters", "drawn", "near_duplicates", "rows")
            ),
            _share(stratum["cluster_probability"]),
        )
        for stratum in sorted(strata, key=lambda s: -s["traces"])
    ]
    return [
        Heading("How it was chosen"),
        Text(
            f"{true['population']['traces']} traces could be drawn: {population_name(spec)}. They "
            "were stratified by "
            f"{', '.join(spec['strata']) or 'nothing'}; each stratum has at least "
            f"{rule['floor']} of its {spec['one_per']}s, or all it has, and the rest was shared "
            f"out {how}. Within a stratum a keyed hash with seed {spec['seed']} decides, so the "
            "same lake gives the same rows. `weight` says how many of these traces a row stands "
            "for: use it to estimate anything about them; leave it out to compare two systems on "
            "these rows."
        ),
        Grid(
            ("stratum", "traces", f"{spec['one_per']}s", "drawn", "duplicates", "rows", "chance"),
            rows[: _SHOWN * 5],
        ),
    ]


def _labels(true: Mapping[str, Any], rows: Rows) -> list[Block]:
    sample = [row for row in rows if row["weight"] is not None]
    table = []
    for label in _LABELS:
        there = sum(row["label"] == label for row in rows)
        told = _in_production(true["design"]["strata"], sample, label)
        if there or told != _NOTHING:
            table.append((label, str(there), _share(there / len(rows)), told))
    known = [row["confidence"] for row in rows if row["confidence"] is not None]
    sure = f" Mean confidence of the labels: {sum(known) / len(known):.2f}." if known else ""
    policies = sorted({row["label_policy"] for row in rows if row["label_policy"]})
    who = f" Decided by {', '.join(policies)}." if policies else ""
    traces = population_name(true["spec"])
    return [
        Heading("Labels"),
        Grid(("label", "rows", "share of rows", "share of the traces (95 % interval)"), table),
        Text(
            f"The traces are the {true['population']['traces']} {traces}. Labels are decided from "
            f"feedback and reviews, not by experts row by row.{who}{sure}"
        ),
        *failure_rate_blocks(true["population"]),
    ]


def _in_production(strata: Rows, sample: Rows, label: str) -> str:
    """Return the share of a label among the traces: counted, where it is a stratum; or estimated.

    By the stratum it is what the selection counted in the lake, without any error of sampling.
    """
    if strata and "label" in strata[0]["values"]:
        there = sum(s["traces"] for s in strata if s["values"]["label"] == label)
        return f"{there / sum(s['traces'] for s in strata):.1%} (counted)" if there else _NOTHING
    found = _estimated(sample, lambda row: row["label"] == label)
    return f"{found[0]:.1%} ({found[1]:.1%} to {found[2]:.1%})" if found else _NOTHING


def _estimated(
    sample: Rows, holds: Callable[[Mapping[str, Any]], bool]
) -> tuple[float, float, float] | None:
    found = estimate_mean(
        [
            WeightedValue(
                row["stratum"] or "",
                row["weight"],
                row["inclusion_probability"],
                float(holds(row)),
            )
            for row in sample
        ]
    )
    return (found.mean, found.low, found.high) if found else None


def _segments(true: Mapping[str, Any], rows: Rows) -> list[Block]:
    strata = true["design"]["strata"]
    sizes = Counter(row["stratum"] for row in rows if row["drawn"] == SAMPLE)
    groups = [
        ShareGroup(column, _pairs(strata, sizes, column)) for column in true["spec"]["strata"]
    ]
    if not groups:
        return []
    table = [
        (group.column, pair.value, _share(pair.production), _share(pair.release))
        for group in groups
        for pair in group.pairs
    ]
    return [
        Heading("Segments against the traces that it speaks for"),
        Figure(
            draw_shares(groups, "Share of each segment among the traces and in the release"),
            "The picture is in datasheet.html.",
        ),
        Grid(("column", "value", "the traces", "release"), table, numbers_from=2),
    ]


def _pairs(
    strata: Iterable[Mapping[str, Any]], sizes: Mapping[str | None, int], column: str
) -> list[SharePair]:
    traces: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for stratum in strata:
        value = stratum["values"][column]
        shown = "(none)" if value is None else value
        traces[shown] += stratum["traces"]
        there[shown] += sizes.get(stratum["name"], 0)
    all_traces, all_rows = sum(traces.values()) or 1, sum(there.values()) or 1
    pairs = [
        SharePair(value, n / all_traces, there[value] / all_rows) for value, n in traces.items()
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
    sizes = {"all rows": len(rows)} | {f"{side} side": n for side, n in sorted(sides.items())}
    if len(sides) == 1:
        sizes = {"all rows": len(rows)}
    table = []
    for what, size in sizes.items():
        found = [detectable_difference(size, flips) for flips in FLIPS]
        table.append((what, str(size), *("none" if f is None else f"{f:.1%}" for f in found)))
    return [
        Heading("What difference it can show"),
        Text(
            "Two systems that answer the same rows are compared by the rows on which they differ. "
            "This is the smallest difference of their pass rates that is found four times in five "
            "(exact McNemar test, 5 %, two-sided), if they differ on 10, 20 or 30 % of the rows. "
            "A smaller one is probably missed: then the comparison says nothing, not that they are "
            "equal."
        ),
        Grid(("", "rows", *(f"{flips:.0%} differ" for flips in FLIPS)), table),
    ]


def _personal_data(true: Mapping[str, Any], rows: Rows) -> list[Block]:
    policies = Counter(row["_policy"] for row in rows)
    demanded = true["spec"]["redaction_policies"]
    asked = (
        "The spec takes rows of any redaction policy."
        if demanded == "any"
        else f"The spec takes only rows of the policies {', '.join(f'`{p}`' for p in demanded)}."
    )
    mixed = (
        f"The rows were stored under {len(policies)} redaction policies: the same value may be "
        "replaced in some rows and stand in others, and the same person may have two stand-ins. "
        "`goldpan lake scan` counts what today's policy would still replace."
    )
    return [
        Heading("Personal data"),
        Text(
            "The rows are as the lake holds them: redacted before they were stored, under the "
            f"policies below. {asked} What redaction is known to miss is in docs/what-is-found.md "
            "of goldpan."
        ),
        *([Text(mixed, note=True)] if len(policies) > 1 else []),
        Grid(
            ("redaction policy (hash)", "rows"),
            [(f"`{policy}`", str(n)) for policy, n in sorted(policies.items())],
        ),
    ]


def _gaps(true: Mapping[str, Any], rows: Rows) -> list[Block]:
    strata, population = true["design"]["strata"], true["population"]
    thin = [s["name"] for s in strata if 0 < s["rows"] < _THIN]
    emptied = [s["name"] for s in strata if s.get("erased") and not s["rows"]]
    empty = [s["name"] for s in strata if s["traces"] and not s["rows"] and not s.get("erased")]
    lost = sum(s["out_of_reach"] for s in strata)
    unlabelled = sum(row["label"] in {"none", "unknown"} for row in rows)
    duplicates = sum(s["near_duplicates"] for s in strata)
    few = true["spec"]["size"] - sum(s["rows"] + s.get("erased", 0) for s in strata)
    told = [
        (
            bool(empty),
            f"{len(empty)} strata have no row: {_some(empty)}. Their conversations were "
            "needed for rarer strata, of which each can give one row only.",
        ),
        (
            bool(emptied),
            f"{len(emptied)} strata have no row left, since all of theirs were erased: "
            f"{_some(emptied)}.",
        ),
        (
            bool(thin),
            f"{len(thin)} strata have fewer than {_THIN} rows and say little by "
            f"themselves: {_some(thin)}.",
        ),
        (
            lost > 0,
            f"{lost} traces ({_share(lost / max(1, population['traces']))}) could not be "
            "drawn, since their conversation stands for a rarer stratum or is named; the "
            "others of their stratum speak for them.",
        ),
        (few > 0, f"{few} rows fewer than asked for: there were no more that differ."),
        (unlabelled > 0, f"{unlabelled} rows have no label that can be used (none or unknown)."),
        (
            duplicates > 0,
            f"{duplicates} drawn traces were left out as near-duplicates of others, which "
            "stand for them; labels of near-duplicates may differ.",
        ),
        (
            population["refused_by_redaction_policy"] > 0,
            f"{population['refused_by_redaction_policy']} traces of the window were stored under "
            "another redaction policy and left out.",
        ),
        (
            population.get("sent_again_otherwise", 0) > 0,
            f"{population.get('sent_again_otherwise')} traces came more than once, with another "
            "status, answer or input; of each the first counts. docs/releases.md of goldpan has "
            "the query that finds them.",
        ),
        *((True, f"In the spec, {one}.") for one in population.get("warnings", [])),
        (
            "expired" in true,
            f"Only days from {true.get('expired', {}).get('whole_from')} on: of earlier days of "
            "the window texts, users, rows or labels have expired "
            f"({true.get('expired', {}).get('traces_left_out')} of their traces are still stored). "
            "What is said of production is said of the days that are left.",
        ),
        (
            not any(is_error_stratum(s["values"]) for s in strata)
            and "status" in true["spec"]["strata"],
            "There was no error in the window.",
        ),
    ]
    found = [Text(text, note=True) for holds, text in told if holds]
    return [Heading("Known gaps"), *(found or [Text("None that the tool knows of.")])]


def _some(names: Sequence[str]) -> str:
    shown = "; ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown}; and {len(names) - 5} more"


def _origin(true: Mapping[str, Any], name: str, version: str) -> list[Block]:
    code = ", ".join(f"{key} {value}" for key, value in true["code"].items())
    return [
        Heading("Where it comes from"),
        Grid(
            ("table", "version", "as of"),
            [(t, str(s["version"]), s["as_of"] or "-") for t, s in true["lake"].items()],
        ),
        Text(
            f"Built with {code}. Spec `{true['spec_sha256']}`, rows `{true['rows_sha256']}`. The "
            f"whole is proved by `goldpan release verify {name}@{version}`, or offline with "
            "`goldpan release verify FOLDER`."
        ),
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
