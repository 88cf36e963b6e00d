"""What a run will ask and cost, before the first call."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from batch.judge.judge_plan import JudgePlan
from batch.judge.known_judgements import KnownJudgements
from batch.judge.subjects import SubjectSource
from batch.progress import ReportProgress, no_progress
from batch.scratch_database import NumberedIds


@dataclass(slots=True)
class RunEstimate:
    """What a run will do: rows, of which some are judged already, and calls with their tokens.

    ``unasked`` counts the judgements that need no call. Tokens are upper estimates. ``cost_usd`` is
    None without prices. Failure modes, which are asked of failed rows alone, come on top:
    ``mode_cost_usd`` is what they cost if every row fails.
    """

    rows: int = 0
    known: int = 0
    unasked: int = 0
    equal: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    mode_cost_usd: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON."""
        return {
            "rows": self.rows,
            "known": self.known,
            "unasked": self.unasked,
            "equal": self.equal,
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": self.cost_usd,
            "mode_cost_usd": self.mode_cost_usd,
        }


def estimate_run(
    plan: JudgePlan,
    judgements: KnownJudgements,
    source: SubjectSource,
    progress: ReportProgress = no_progress,
) -> RunEstimate:
    """Return what a run over these rows will ask, by what is known; nothing is asked."""
    estimate = RunEstimate()
    asked = NumberedIds()
    mode_tokens = 0
    for subject in source():
        estimate.rows += 1
        progress("reading", estimate.rows, 0)
        for task in plan.tasks_of(subject):
            before = judgements.find(task.key)
            if before is not None and before.is_settled:
                estimate.known += 1
                continue
            if task.question is None:
                estimate.unasked += 1
                continue
            call = plan.call_id(task.key, judgements.current_epoch)
            if judgements.find_call(partial(plan.call_id, task.key)) or not asked.add(call):
                estimate.equal += 1
                continue
            estimate.calls += 1
            estimate.input_tokens += plan.request(task.question).tokens
            estimate.output_tokens += plan.reply_tokens
            if plan.modes:
                mode_tokens += plan.mode_request(task.question).tokens
    estimate.cost_usd = plan.cost(estimate.input_tokens, estimate.output_tokens)
    replies = estimate.calls * plan.reply_tokens if plan.modes else 0
    estimate.mode_cost_usd = plan.cost(mode_tokens, replies)
    return estimate
