"""The weights are right: estimates are unbiased and intervals cover, over 250 seeds (500 in chaos).

The population is made of real conversations; what is estimated is something that is known of every
trace but not to the design. Drawing is repeated without the engine: with the same functions, on
cells that are hashed as the query hashes them.
"""

import hashlib
import math
import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import pytest

from batch.release.format.rows import TraceRow
from batch.release.pages.power import detectable_difference
from batch.release.pages.weighted_mean import WeightedValue, estimate_mean
from batch.release.sampling.allocation import Stratum, allocate_rows
from batch.release.sampling.near_duplicates import (
    ComparedTexts,
    MinHashSketches,
    NearDuplicateIndex,
    compared_texts,
    jaccard,
    shingles,
)
from batch.release.sampling.spec import AllocationRule, NearDuplicateRule
from batch.release.sampling.stratified_draw import (
    CellSize,
    SamplingCell,
    StratumDraw,
    assign_weights,
    draw_strata,
)
from goldpan.demo.traffic import load_shipped_conversations, make_traces

SIZE = 100
COPIES = 16
FIRST = 120  # cells of a stratum that are looked at: the engine gives the first ones only
Trace = dict[str, Any]


@cache
def population() -> tuple[Trace, ...]:
    """Calls of real conversations: cluster, stratum, and whether the answer was good."""
    rng = random.Random(7)  # noqa: S311 - repeatable, not secret
    found = []
    for copy in range(COPIES):
        for conversation in load_shipped_conversations():
            plan = rng.choice(("free", "free", "free", "gold"))
            mood = rng.gauss(0, 0.6)  # conversations differ, which is why they are the clusters
            for number, trace in enumerate(make_traces(conversation, started_at=0, seed=copy)):
                risk = conversation.outcome_reward - 0.05 * number + mood + (plan == "gold")
                found.append(
                    {
                        "trace_id": trace["trace_id"],
                        "cluster": trace["session_id"],
                        "stratum": f"{plan}/{'tools' if trace['tool_calls'] else 'talk'}",
                        "good": rng.random() < 1 / (1 + math.exp(-risk)),
                    }
                )
    return tuple(found)


def _hash(*parts: object) -> str:
    return hashlib.md5(":".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


@cache
def _cells() -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for trace in population():
        found[trace["stratum"], trace["cluster"]].append(trace["trace_id"])
    return {key: tuple(ids) for key, ids in found.items()}


@cache
def _traces() -> dict[tuple[str, str], tuple[str, ...]]:
    return {(t["stratum"], t["trace_id"]): (t["trace_id"],) for t in population()}


def drop_near_duplicates(traces: Sequence[ComparedTexts], rule: NearDuplicateRule) -> list[int]:
    """Return the indices of the traces that stay, the first of each group of near-duplicates."""
    index = NearDuplicateIndex(MinHashSketches(rule))
    return [i for i, trace in enumerate(traces) if index.add(str(i), trace) is None]


def _cell(seed: int, stratum: str, cluster: str, order: str, ids: tuple[str, ...]) -> SamplingCell:
    picked = min(ids, key=lambda trace_id: _hash(seed, "trace", trace_id))
    return SamplingCell(stratum, cluster, len(ids), picked, None, None, "t", 0, 0, order)


def drawn(seed: int, *, per_trace: bool) -> list[StratumDraw]:
    """Return what a seed draws, with weights."""
    of_cells = _traces() if per_trace else _cells()
    hashed: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for stratum, cluster in of_cells:
        hashed[stratum].append((_hash(seed, "cell", stratum, cluster), cluster))
    cells = {
        stratum: [
            _cell(seed, stratum, cluster, order, of_cells[stratum, cluster])
            for order, cluster in sorted(some)[:FIRST]
        ]
        for stratum, some in hashed.items()
    }
    strata = [
        Stratum(text, {}, sum(len(of_cells[text, c]) for _, c in some), len(some))
        for text, some in hashed.items()
    ]
    shares = draw_strata(
        strata,
        allocate_rows(strata, SIZE, AllocationRule(by="equal")),
        cells,
        set(),
        lambda: lambda _id: None,
    )
    drawn_from = {one.cell.cluster for share in shares for one in share.drawn}
    members = [CellSize(s, c, len(ids)) for (s, c), ids in of_cells.items() if c in drawn_from]
    assign_weights(shares, members, set())
    return shares


@cache
def good() -> dict[str, bool]:
    """Return whether each trace was good."""
    return {t["trace_id"]: t["good"] for t in population()}


def totals(shares: list[StratumDraw]) -> tuple[float, float]:
    """Return the Horvitz-Thompson estimates of the number of traces, and of good ones."""
    weights = [(one.weight, good()[one.cell.trace_id]) for s in shares for one in s.drawn]
    return sum(w for w, _ in weights), sum(w for w, is_good in weights if is_good)


def weighed(shares: list[StratumDraw]) -> list[WeightedValue]:
    """Return the rows with the weights of a release, scaled to the size of each stratum."""
    rows = []
    for share in shares:
        total = sum(one.weight for one in share.drawn)
        rows += [
            WeightedValue(
                share.stratum.text,
                one.weight * share.stratum.traces / total,
                one.probability,
                float(good()[one.cell.trace_id]),
            )
            for one in share.drawn
        ]
    return rows


_DRAWS = [
    pytest.param((unit, seeds), id=f"{unit}, {seeds} seeds", marks=marks)
    for seeds, marks in ((250, ()), (500, pytest.mark.chaos))
    for unit in ("trace", "conversation")
]


@pytest.fixture(scope="module", params=_DRAWS)
def draws(request: pytest.FixtureRequest) -> list[list[StratumDraw]]:
    """What many seeds draw, one per trace or one per conversation."""
    unit, seeds = request.param
    return [drawn(seed, per_trace=unit == "trace") for seed in range(seeds)]


def by_chance(draws: list[list[StratumDraw]]) -> float:
    """Return two standard errors of a coverage of 95 %."""
    return 2 * math.sqrt(0.95 * 0.05 / len(draws))


def test_horvitz_thompson_totals_are_unbiased(draws: list[list[StratumDraw]]) -> None:
    """The mean of the estimated totals is within three standard errors of truth."""
    truth = (len(population()), sum(good().values()))
    for estimates, true in zip(zip(*map(totals, draws), strict=True), truth, strict=True):
        mean = sum(estimates) / len(estimates)
        spread = math.sqrt(sum((e - mean) ** 2 for e in estimates) / (len(estimates) - 1))
        assert abs(mean - true) <= 3 * spread / math.sqrt(len(estimates)) + 1e-6


def test_intervals_cover_as_often_as_they_say(draws: list[list[StratumDraw]]) -> None:
    """The 95 % interval for the share of good answers covers the truth as often as it says."""
    truth = sum(good().values()) / len(population())
    found = [estimate_mean(weighed(shares)) for shares in draws]
    covered = sum(e is not None and e.low <= truth <= e.high for e in found) / len(found)
    bias = sum(e.mean for e in found if e) / len(found) - truth
    print(f"\ncoverage {covered:.1%}, mean error {bias:+.4f}")
    assert abs(covered - 0.95) <= by_chance(draws)
    assert abs(bias) < 0.005 * math.sqrt(500 / len(draws))


@pytest.mark.parametrize(("share", "lost"), [(0.002, 0), (0.05, 0), (0.2, 0.01)])
def test_after_an_erasure_the_rest_estimates_the_rest(
    draws: list[list[StratumDraw]], share: float, lost: float
) -> None:
    """Conversations leave population and sample, rows keep their weights: intervals still cover.

    They are chosen without regard to who was drawn; the weights add up to the traces left.
    """
    clusters = sorted({t["cluster"] for t in population()})
    of_trace = {t["trace_id"]: t["cluster"] for t in population()}
    covered, missed, differences = 0, [], []
    for seed, shares in enumerate(draws):
        gone = set(random.Random(seed).sample(clusters, max(1, int(share * len(clusters)))))  # noqa: S311
        left = [t for t in population() if t["cluster"] not in gone]
        truth = sum(t["good"] for t in left) / len(left)
        drawn_traces = [one.cell.trace_id for s in shares for one in s.drawn]
        rows = [
            row
            for row, trace_id in zip(weighed(shares), drawn_traces, strict=True)
            if of_trace[trace_id] not in gone
        ]
        found = estimate_mean(rows)
        assert found is not None
        covered += found.low <= truth <= found.high
        missed.append(found.mean - truth)
        differences.append(sum(row.weight for row in rows) - len(left))
    mean = sum(differences) / len(differences)
    spread = math.sqrt(sum((d - mean) ** 2 for d in differences) / (len(differences) - 1))
    print(f"\n{share:.1%} erased: coverage {covered / len(draws):.1%}")
    assert -by_chance(draws) - lost <= covered / len(draws) - 0.95 <= by_chance(draws)
    assert abs(sum(missed) / len(missed)) < 0.005 * math.sqrt(500 / len(draws))
    assert abs(mean) <= 3 * spread / math.sqrt(len(draws)) + 1e-6


def test_no_stratum_is_empty_and_no_conversation_gives_two(draws: list[list[StratumDraw]]) -> None:
    """In every draw each stratum has rows, and each cluster at most one."""
    for shares in draws:
        assert all(share.rows >= 1 for share in shares)
        clusters = Counter(one.cell.cluster for share in shares for one in share.drawn)
        assert max(clusters.values()) == 1


def test_a_rare_stratum_drawn_completely_leaves_others_out_of_reach() -> None:
    """Other traces of its conversations are counted as out of reach, and totals stay right."""
    strata = [Stratum("rare", {}, 4, 2), Stratum("common", {}, 40, 10)]
    cells = {
        "rare": [
            SamplingCell("rare", f"c{i}", 2, f"r{i}", None, None, "t", 0, i, f"{i}") for i in (0, 1)
        ],
        "common": [
            SamplingCell("common", f"c{i}", 4, f"t{i}", None, None, "t", 0, i, f"{i}")
            for i in range(10)
        ],
    }
    shares = draw_strata(strata, {"rare": 2, "common": 4}, cells, set(), lambda: lambda _id: None)
    members = [CellSize(c.stratum, c.cluster, c.traces) for some in cells.values() for c in some]
    assert assign_weights(shares, members, set()) == {"common": 8}
    assert [(s.free, len(s.drawn)) for s in shares] == [(2, 2), (8, 4)]
    assert sum(one.weight for one in shares[1].drawn) == pytest.approx(32)


def test_weights_do_not_depend_on_the_order_of_an_engine() -> None:
    """To the last digit, since they are part of the bytes of a release."""
    strata = [f"s{i}" for i in range(7)]
    sizes = {text: 9 + 2 * i for i, text in enumerate(strata)}
    cells = {
        text: [
            SamplingCell(text, f"c{i}", 1, f"{text}{i}", None, None, "t", 0, i, f"{i:02}")
            for i in range(n)
        ]
        for text, n in sizes.items()
    }
    members = [CellSize(c.stratum, c.cluster, c.traces) for some in cells.values() for c in some]
    known = [Stratum(text, {}, n, n) for text, n in sizes.items()]
    found = set()
    for seed in range(30):
        shares = draw_strata(
            known, dict.fromkeys(strata, 1), cells, set(), lambda: lambda _id: None
        )
        assign_weights(shares, random.Random(seed).sample(members, len(members)), set())  # noqa: S311
        found.add(tuple(one.weight for share in shares for one in share.drawn))
    assert len(found) == 1


def test_two_strata_that_share_their_conversations_both_get_a_row() -> None:
    """A stratum that the others would leave empty is drawn before them."""
    strata = [Stratum(text, {}, 2, 2) for text in ("a", "b")]
    cells = {
        text: [
            SamplingCell(text, f"c{i}", 1, f"{text}{i}", None, None, "t", 0, i, f"{i}")
            for i in (0, 1)
        ]
        for text in ("a", "b")
    }
    shares = draw_strata(strata, {"a": 2, "b": 2}, cells, set(), lambda: lambda _id: None)
    assert {share.stratum.text: share.rows for share in shares} == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (30, (None, None, 0.274)),
        (100, (0.088, 0.128, 0.159)),
        (500, (0.041, 0.057, 0.070)),
        (1000, (0.029, 0.040, 0.049)),
    ],
)
def test_power_is_that_of_the_exact_test(rows: int, expected: tuple[float | None, ...]) -> None:
    """The smallest detectable differences are those known for the exact McNemar test."""
    for flips, known in zip((0.1, 0.2, 0.3), expected, strict=True):
        found = detectable_difference(rows, flips)
        assert found is None if known is None else found == pytest.approx(known, abs=0.0006)


def test_near_duplicates_have_full_precision_and_high_recall() -> None:
    """Every dropped text is a near-duplicate by the definition; few near-duplicates are missed.

    Texts are real answers, and copies of them with some words changed.
    """
    rng = random.Random(5)  # noqa: S311
    rule = NearDuplicateRule()
    answers = [
        "\n".join(compared_texts(cast("TraceRow", t)).texts)
        for c in load_shipped_conversations()
        for t in make_traces(c, started_at=0)[::3]
    ]
    texts = []
    for text in answers:
        words = text.split()
        texts.append(text)
        for changes in (0.002, 0.01, 0.03, 0.1):
            changed = [w if rng.random() > changes else f"other{rng.randrange(99)}" for w in words]
            texts.append(" ".join(changed))
    stays = set(drop_near_duplicates([ComparedTexts((text,)) for text in texts], rule))
    found = [shingles([text], rule.shingle) for text in texts]
    kept: list[frozenset[str]] = []
    expected = []
    for each in found:
        alike = any(jaccard(each, other) >= rule.threshold for other in kept)
        expected.append(alike)
        if not alike:
            kept.append(each)
    gone = [i not in stays for i in range(len(texts))]
    right = sum(g and e for g, e in zip(gone, expected, strict=True))
    precision, recall = right / sum(gone), right / sum(expected)
    print(f"\n{sum(expected)} near-duplicates: precision {precision:.3f}, recall {recall:.3f}")
    assert precision == 1.0
    assert recall >= 0.99


def said(user: str, answer: str | None, *tools: tuple[str, str]) -> ComparedTexts:
    """Return the compared part of a trace with one message, an answer and tool calls."""
    calls = [{"name": name, "arguments": arguments} for name, arguments in tools]
    message = {"role": "user", "content": user, "tool_calls": []}
    trace = {"messages": [message], "response": answer, "tool_calls": calls}
    return compared_texts(cast("TraceRow", trace))


ZH = "我想知道明天下午从这里坐火车到市中心的博物馆大概需要多长时间"
ES = "¿Cuál es la dirección de la estación más próxima?"
LONG = "please look after the table that i booked for the evening of the day after tomorrow, thanks"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (said("😂", "🙏🙏"), said("…!", "♥♥♥"), False),
        (said("😂", "🙏"), said("😂", "🙏"), True),
        (said("👍 great", None), said("👎 great", None), False),
        (said("❤️", "?"), said("❤", "?"), True),
        (said("", ""), said("", None), True),
        (
            said(LONG, "", ("reserve_table", '{"n": 4}')),
            said(LONG, "", ("cancel_table", '{"id": "x9"}')),
            False,
        ),
        (said(LONG, "", ("look", "{}")), said(LONG, "", ("look", "{}")), True),
        (said(LONG, ""), said(LONG, "", ("look", "{}")), False),
        (said(ZH, "大约需要四十分钟。"), said(f"{ZH}呢", "大约需要四十分钟。哦"), True),
        (
            said(ZH, "大约四十分钟"),
            said("昨天晚上我家的网络突然断开了应该怎么重新连接", "请重启"),
            False,
        ),
        (said("ช่วยบอกเวลาเปิดของพิพิธภัณฑ์วันเสาร์หน่อยครับ", "เก้าโมง"),) * 2 + (True,),
        (
            said(unicodedata.normalize("NFC", ES), "Está aquí."),
            said(unicodedata.normalize("NFD", ES), unicodedata.normalize("NFD", "Está aquí.")),
            True,
        ),
        (
            said("WHERE IS MY PARCEL", "\uff28\uff25\uff32\uff25"),
            said("where is my parcel", "here"),
            True,
        ),
    ],
)
def test_near_duplicate_cases(one: ComparedTexts, other: ComparedTexts, *, alike: bool) -> None:
    """Signs, calls and scripts without spaces are compared; case and encoding are not."""
    assert drop_near_duplicates([one, other], NearDuplicateRule()) == ([0] if alike else [0, 1])
