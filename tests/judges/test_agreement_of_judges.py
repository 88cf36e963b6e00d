"""How far a judge agrees with reviewers and with itself, and the thresholds that follow."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from judges.agreement.alternative import ManyReviews, alternative_test
from judges.agreement.chance import gwet_ac1
from judges.agreement.confusion import agreement_by, measure_agreement
from judges.agreement.flips import measure_flips
from judges.agreement.jackknife import jackknife
from judges.agreement.rows import AgreementRow
from judges.agreement.thresholds import propose_thresholds
from judges.agreement.worth import worth_of_rows
from judges.outcome import OUTCOMES, JudgeOutcome
from labels.agreement import cohen_kappa


def rows_of(counts: dict[tuple[JudgeOutcome, bool], int]) -> list[AgreementRow]:
    """Return reviewed rows by outcome and by what the reviewers say."""
    return [AgreementRow(*said) for said, count in counts.items() for _ in range(count)]


EXAMPLE = rows_of(
    {
        ("pass", True): 80,
        ("pass", False): 4,
        ("fail", True): 6,
        ("fail", False): 6,
        ("unknown", True): 3,
        ("error", False): 1,
        ("not_applicable", True): 2,
    }
)


def test_the_confusion_has_all_outcomes() -> None:
    """Shares are among decided rows, each with its interval; the rest is counted."""
    found = measure_agreement(EXAMPLE)
    document = found.to_json()
    assert list(document["confusion"]) == list(OUTCOMES)
    assert document["confusion"]["pass"] == {"good": 80, "bad": 4}
    assert sum(sum(each.values()) for each in document["confusion"].values()) == found.reviews
    assert found.agreement.estimate == pytest.approx(86 / 96)
    assert found.sensitivity.estimate == pytest.approx(6 / 10)
    assert found.specificity.estimate == pytest.approx(80 / 86)
    assert found.decided.estimate == pytest.approx(96 / 100)
    assert found.sensitivity.low is not None
    assert found.sensitivity.high is not None
    assert found.sensitivity.low == pytest.approx(0.2624, abs=1e-4)
    assert found.sensitivity.high == pytest.approx(0.8784, abs=1e-4)


def test_reviews_are_weighted() -> None:
    """A row that was reviewed with a tenth of the probability counts ten times."""
    rare = [row._replace(probability=0.1) for row in rows_of({("pass", False): 2})]
    found = measure_agreement([*rows_of({("pass", True): 80}), *rare])
    assert found.agreement.estimate == pytest.approx(80 / 100)
    assert found.ac1 is not None
    pairs = [("pass", "pass")] * 80 + [("pass", "fail")] * 2
    assert found.ac1.estimate == pytest.approx(gwet_ac1(pairs, [1.0] * 80 + [10.0] * 2))


def test_chance_corrected_agreement_does_not_collapse() -> None:
    """At 95 % pass kappa is near 0 though both agree on 92 %; AC1 is not (Gwet 2008)."""
    pairs = [("pass", "pass")] * 92 + [("pass", "fail")] * 4 + [("fail", "pass")] * 4
    kappa, ac1 = cohen_kappa(pairs), gwet_ac1(pairs)
    assert kappa is not None
    assert ac1 is not None
    assert kappa < 0
    # By hand: p_a = .92, shares of pass .96 and .96, p_e = 2 * .96 * .04.
    assert ac1 == pytest.approx((0.92 - 0.0768) / (1 - 0.0768))
    assert gwet_ac1([]) is None
    assert gwet_ac1([("pass", "pass")]) == 1


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("ab")), min_size=1))
@example([("a", "a")] * 6)
def test_ac1_is_symmetric_and_bounded(pairs: list[tuple[str, str]]) -> None:
    """Neither rater is the first, and 1 is full agreement."""
    value = gwet_ac1(pairs)
    assert value is not None
    assert -1 <= value <= 1
    assert value == pytest.approx(gwet_ac1([(second, first) for first, second in pairs]))
    assert (value == 1) == all(first == second for first, second in pairs)


def test_agreement_is_shown_by_segment_and_epoch() -> None:
    """Each part on its own rows, in order."""
    rows = [row._replace(segment="pro" if at % 2 else "free") for at, row in enumerate(EXAMPLE)]
    parts = agreement_by(rows, lambda row: row.segment)
    assert list(parts) == ["free", "pro"]
    assert sum(part.reviews for part in parts.values()) == len(rows)
    assert list(agreement_by(rows, lambda row: f"epoch {row.epoch}")) == ["epoch 1"]
    empty = measure_agreement([])
    assert (empty.reviews, empty.ac1, empty.worth) == (0, None, None)


def test_the_jackknife_covers_ac1() -> None:
    """Its intervals contain the true value in about 95 % of samples."""
    covered = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        good = rng.random(80) < 0.8
        right = rng.random(80) < 0.85
        rows = [
            AgreementRow("pass" if g == r else "fail", bool(g))
            for g, r in zip(good, right, strict=True)
        ]
        ac1 = measure_agreement(rows).ac1
        assert ac1 is not None
        share = (0.8 + 0.8 * 0.85 + 0.2 * 0.15) / 2
        truth = (0.85 - 2 * share * (1 - share)) / (1 - 2 * share * (1 - share))
        covered += ac1.low <= truth <= ac1.high
    assert covered >= 0.9 * 120
    assert jackknife(np.array([], np.int64), lambda _: 1.0) is None
    assert jackknife(np.array([1, 2]), lambda _: None) is None
    alone = jackknife(np.array([1, 1]), lambda _: 0.5, limits=(-1.0, 1.0))
    assert alone == (0.5, -1.0, 1.0)


def test_one_line_says_what_a_judge_is_worth() -> None:
    """100 reviews with it are worth N: 1 / (1 - r²), and 100 with a coin."""
    right = rows_of(
        {("pass", True): 80, ("pass", False): 10, ("fail", False): 80, ("fail", True): 10}
    )
    worth = worth_of_rows(right)
    assert worth is not None
    # By hand: between the strata lies (8/9 - 1/9)² / 4 of the variance 1/4.
    assert worth.estimate == pytest.approx(100 / (1 - (7 / 9) ** 2), rel=0.02)
    assert worth.low < worth.estimate < worth.high
    assert worth.sentence.startswith("100 reviews with this judge are worth 25")
    coin = worth_of_rows(rows_of({(o, g): 20 for o in ("pass", "fail") for g in (True, False)}))
    assert coin is not None
    assert (coin.estimate, coin.low) == (100, 100)
    assert worth_of_rows(right[:2]) is None
    same = worth_of_rows(rows_of({("pass", True): 30}))
    assert same is None


def test_flips_are_counted_between_verdicts() -> None:
    """Any two verdicts that differ, and pass against fail; an error is in no pair."""
    found = measure_flips(
        [
            ("pass", "pass"),
            ("pass", "fail"),
            ("pass", "unknown", "pass"),
            ("pass", "error"),
            ("fail",),
            (),
        ]
    )
    assert found.rows == 3
    assert found.flips.estimate == pytest.approx((0 + 1 + 2 / 3) / 3)
    assert found.reversals.estimate == pytest.approx(1 / 3)
    assert measure_flips([]).to_json()["flips"]["estimate"] is None


def judged(seed: int, rows: int = 600, clusters: int = 0) -> list[AgreementRow]:
    """Return reviewed rows whose probability of fail is right."""
    rng = np.random.default_rng(seed)
    return [
        AgreementRow(
            "unknown",
            bool(rng.random() >= p),
            p_fail=float(p),
            cluster=f"c{at % clusters}" if clusters else None,
        )
        for at, p in enumerate(rng.beta(0.6, 0.6, rows))
    ]


def test_thresholds_keep_to_their_target() -> None:
    """The narrowest band for which wrong verdicts stay below the target, in nine of ten cases."""
    above = 0
    for seed in range(15):
        found = propose_thresholds(judged(seed), at_most_wrong=0.2)
        assert found is not None
        assert found.pass_at_most is not None
        assert found.fail_at_least is not None
        assert found.pass_at_most < found.fail_at_least
        fresh = [row for row in judged(1_000 + seed, 2_000) if row.p_fail is not None]
        passed = [r for r in fresh if r.p_fail is not None and r.p_fail <= found.pass_at_most]
        above += sum(not row.reviewed_good for row in passed) / len(passed) > 0.2
    assert above <= 3


def test_figures_of_thresholds_are_out_of_fold() -> None:
    """Shares and wrong verdicts of thresholds that were chosen without these reviews."""
    found = propose_thresholds(judged(1, clusters=100), at_most_wrong=0.2)
    assert found is not None
    document = found.to_json()
    assert document["reviews"] == 600
    assert 0.2 < document["passed"]["estimate"] < 0.7
    assert document["wrong_passes"]["estimate"] < 0.25
    assert found == propose_thresholds(judged(1, clusters=100), at_most_wrong=0.2)


def test_without_evidence_there_are_no_thresholds() -> None:
    """A judge that says nothing has no side that keeps to the target; few reviews neither."""
    rng = np.random.default_rng(0)
    useless = [row._replace(reviewed_good=bool(rng.random() < 0.5)) for row in judged(2)]
    found = propose_thresholds(useless, at_most_wrong=0.2)
    assert found is not None
    assert (found.pass_at_most, found.fail_at_least) == (None, None)
    assert found.passed.estimate == 0
    assert propose_thresholds(EXAMPLE) is None
    few = propose_thresholds(judged(3, 8))
    assert few is not None
    assert few.fail_at_least is None


def test_a_judge_that_is_never_wrong_leaves_no_band() -> None:
    """It is as narrow as two neighbours among the thresholds that are tried."""
    rows = [AgreementRow("unknown", n < 50, p_fail=n / 100) for n in range(100)]
    found = propose_thresholds(rows, at_most_wrong=0.2)
    assert found is not None
    assert found.pass_at_most is not None
    assert found.fail_at_least is not None
    assert 0 < found.fail_at_least - found.pass_at_most < 0.1


def test_the_alternative_annotator_test() -> None:
    """A judge as good as the reviewers passes, one that guesses does not, two are too few."""
    rng = np.random.default_rng(5)

    def labels(right: float, reviewers: int, rows: int = 150) -> list[ManyReviews]:
        made = []
        for _ in range(rows):
            truth = rng.random() < 0.5

            def say(share: float, truth: bool = bool(truth)) -> str:
                return "pass" if (rng.random() < share) == truth else "fail"

            made.append(ManyReviews(say(right), {f"r{n}": say(0.85) for n in range(reviewers)}))
        return made

    good, bad = (alternative_test(labels(share, 4)) for share in (0.9, 0.5))
    assert good is not None
    assert bad is not None
    assert good.passes
    assert good.advantage > 0.8
    assert not bad.passes
    assert alternative_test(labels(0.9, 2)) is None
    assert alternative_test(labels(0.9, 4, rows=20)) is None
