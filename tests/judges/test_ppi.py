"""The corrected share of good answers beside that of the package of its authors."""

import json
import random
from pathlib import Path
from statistics import fmean

from judges.correction.post_stratified import CorrectedRate, estimate_good_rate
from judges.correction.units import JudgedUnit
from judges.outcome import JudgeOutcome
from tests.partners.environment import Partners

DATA = Path(__file__).parents[1] / "data" / "judges" / "arena_verdicts.jsonl"
DRAWS, REVIEWS = 200, 100


def corrected(passed: list[bool], reviews: dict[int, bool]) -> CorrectedRate:
    """Return the estimate from the reviews of some rows."""
    share = len(reviews) / len(passed)
    units = []
    for at, is_pass in enumerate(passed):
        outcome: JudgeOutcome = "pass" if is_pass else "fail"
        units.append(JudgedUnit(outcome, reviews.get(at), share if at in reviews else None))
    found = estimate_good_rate(units)
    assert found is not None
    return found


def test_it_estimates_what_ppi_python_estimates(judge_partners: Partners, tmp_path: Path) -> None:
    """On real verdicts: the same estimates, and intervals that are no wider and cover the truth."""
    lines = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    mini = [line for line in lines if line["judge"] == "gpt-4o-mini"]
    good = [who == "A" for line in mini for who in line["human"]]
    passed = [who == "A" for line in mini for who in line["judge_says"]]
    truth, rng = fmean(good), random.Random(17)  # noqa: S311 - not for secrets
    draws = [sorted(rng.sample(range(len(good)), REVIEWS)) for _ in range(DRAWS)]
    asked = {"judged": passed, "draws": [{"at": d, "good": [good[i] for i in d]} for d in draws]}
    (tmp_path / "asked.json").write_text(json.dumps(asked))
    theirs = judge_partners.run("run_ppi.py", tmp_path / "asked.json", cwd=tmp_path)
    ours = [corrected(passed, {i: good[i] for i in draw}) for draw in draws]
    gaps = [abs(a.estimate - b[0]) for a, b in zip(ours, theirs, strict=True)]
    widths = fmean(a.high - a.low for a in ours), fmean(high - low for _, low, high in theirs)
    covers = (
        fmean(a.low <= truth <= a.high for a in ours),
        fmean(low <= truth <= high for _, low, high in theirs),
    )
    print(f"gap {fmean(gaps):.4f}, widths {widths}, coverage {covers}, of {len(good)} rows")
    assert fmean(gaps) < 0.05 * widths[1]
    assert widths[0] <= widths[1]
    assert covers[0] >= 0.93
