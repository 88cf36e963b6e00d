"""Judges single rows outside a lake, with the ids and outcomes that a run would store.

A run counts the changes of the served model in the lake; without a lake every judgement is of the
first epoch.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from batch.judge.asking import JudgeAnswerer, ask_batch
from batch.judge.input_proof import InputProof
from batch.judge.judge_plan import JudgePlan, JudgeTask
from batch.judge.known_judgements import KnownJudgements
from batch.judge.run_report import CallCounts
from batch.judge.subjects import JudgeSubject
from judges.judged_row import JudgedRow
from judges.judgement import CallFacts, Judgement
from judges.outcome import JudgeAnswer, judge_error


@dataclass(slots=True)
class RowJudge:
    """One judge as one way answers it. ``answerer`` and ``proof`` are needed where a server does.

    ``run_id`` identifies the evaluation. Safe to call from several threads: rows are judged one
    after the other.
    """

    plan: JudgePlan
    now_us: Callable[[], int]
    run_id: str
    answerer: JudgeAnswerer | None = None
    proof: InputProof | None = None
    _one_at_a_time: Lock = field(default_factory=Lock)

    def judge(self, row: JudgedRow) -> Judgement:
        """Return the judgement of a row."""
        task = self.plan.tasks_of(JudgeSubject(row, "release", cluster=row.trace.session_id))[0]
        answer, call = task.answer, CallFacts(self.plan.way.model)
        if answer is None:
            with self._one_at_a_time:
                answer, call = self._ask(task)
        return self.plan.judgement(task, answer, call, run_id=self.run_id, now=self.now_us())

    def _ask(self, task: JudgeTask) -> tuple[JudgeAnswer, CallFacts]:
        question, answerer, proof = task.question, self.answerer, self.proof
        if question is None or answerer is None or proof is None:
            raise TypeError("a judge that a server answers needs an answerer and a proof")
        if not proof.passes([task.subject.row], [question])[0]:
            return judge_error("residue"), CallFacts(self.plan.way.model)
        nothing = KnownJudgements(self.plan.judge_digest, self.plan.way, self.now_us)
        counts = CallCounts(cost_usd=self.plan.cost(0, 0))
        asked = ask_batch(self.plan, [task], nothing, answerer, counts)
        if not asked.answers:  # the server takes no request at all
            return judge_error("unavailable"), CallFacts(self.plan.way.model)
        ((_, answer, call),) = asked.answers
        return answer, call
