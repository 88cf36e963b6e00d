"""Judges single rows outside a lake, with the ids and outcomes that a run would store.

A run counts the changes of the served model in the lake; without a lake every judgement is of the
first epoch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from batch.judge.asking import JudgeAnswerer
from batch.judge.input_proof import InputProof
from batch.judge.judge_plan import JudgePlan, JudgeTask
from batch.judge.subjects import JudgeSubject
from judges.judged_row import JudgedRow
from judges.judgement import CallFacts, Judgement
from judges.outcome import JudgeAnswer, judge_error
from judges.ways import ServedWay


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
        task = self.plan.tasks_of(JudgeSubject(row, "release"))[0]
        answer, call, modes = task.answer, CallFacts(self.plan.way.model), self.plan.modes
        way = self.plan.served_way
        if answer is None and way is not None:
            with self._one_at_a_time:
                answer, call = self._ask(task, way, modes)
        definition, trace = self.plan.definition, row.trace
        return Judgement(
            key=task.key,
            judge=definition.judge,
            judge_version=definition.version,
            way=self.plan.way.kind,
            answer=answer or judge_error("unavailable"),
            call=call,
            trace_id=trace.trace_id,
            run_id=self.run_id,
            judged_at=self.now_us(),
            revision=row.revision,
            app=trace.app or None,
            prompt_version=trace.prompt_version,
            model_version=trace.model_version,
            cluster=trace.session_id,
            segments=trace.segments,
        )

    def _ask(
        self, task: JudgeTask, way: ServedWay, modes: Sequence[str]
    ) -> tuple[JudgeAnswer, CallFacts]:
        question, answerer, proof = task.question, self.answerer, self.proof
        if question is None or answerer is None or proof is None:
            raise TypeError("a judge that a server answers needs an answerer and a proof")
        if not proof.passes([task.subject.row], [question])[0]:
            return judge_error("residue"), CallFacts(way.model)
        (delivery,) = answerer.send_all([self.plan.request(question)])
        reply = delivery.reply(way, self.plan.thresholds)
        answer = reply.answer
        if answer.outcome == "fail" and modes:
            (named,) = answerer.send_all([self.plan.mode_request(question)])
            answer = JudgeAnswer("fail", p_fail=answer.p_fail,
                                 failure_mode=named.failure_mode(way, modes))  # fmt: skip
        facts = CallFacts(
            way.model,
            reply.model_served,
            reply.input_tokens,
            reply.output_tokens,
            self.plan.cost(reply.input_tokens or 0, reply.output_tokens or 0),
            delivery.latency_ms,
        )
        return answer, facts
