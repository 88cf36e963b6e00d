"""Judges rows: each judgement is stored once, and each answer of a server is paid for once.

Rows come in batches. Of each batch

1. what is known counts: a final judgement is never made again;
2. rows that there is nothing to ask about have their outcome, and a question that holds personal
   data is the error ``residue``;
3. the rest is *claimed* in the table: a runner that claims the same is rejected, so two never pay
   for the same;
4. answers to equal questions are used again, and the other questions are asked;
5. the judgements are stored in one commit.

| killed | then |
|---|---|
| before 3 | nothing was done |
| between 3 and 5 | the claim ends after its time; the next runner asks again, so at most the questions of the batch are paid for twice |
| after 5 | the judgements are there |

What another runner has claimed is left to it and looked at again at the end: it has been judged
by then, or its claim has ended. Checks and the local model cost nothing, so they claim nothing.
"""  # noqa: E501 - a table

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from batch.judge.asking import AskedBatch, JudgeAnswerer, ask_batch
from batch.judge.claim_renewal import renewed_claims
from batch.judge.input_proof import InputProof
from batch.judge.judge_plan import JudgePlan, JudgeTask
from batch.judge.judgement_rows import JudgementRow, claim_row, judgement_row, stored_answer
from batch.judge.judgement_store import ErasedMeanwhileError, JudgementStore
from batch.judge.known_judgements import KnownJudgements
from batch.judge.reported_rows import ReportedRow
from batch.judge.run_report import CallCounts, JudgeRunReport
from batch.judge.subjects import JudgeSubject, SubjectSource
from batch.progress import ReportProgress, no_progress
from judges.judgement import CallFacts, JudgementKey
from judges.outcome import JudgeAnswer, judge_error
from lake.table_commit import CommitContext
from schemas.chunks import in_chunks
from schemas.errors import FatalError

_OFFLINE_ROWS: Final = 10_000
"""Each commit adds a file to the table, and its log is held in memory: a million judgements are a
hundred files."""
_ERASURES: Final = 20
"""How often rows are read again because persons were erased meanwhile."""
_POLL_SECONDS: Final = 1.0
_NO_REPLY: Final = frozenset({"unavailable", "timeout", "rate_limited"})


@dataclass(frozen=True, slots=True)
class RunTerms:
    """The terms of a run: rows in a batch, how long a claim holds, and what it may cost.

    ``sleep`` waits for seconds; ``progress`` is told what was done. After ``silent_questions`` in a
    row without a reply the run ends.
    """

    run_id: str
    sleep: Callable[[float], object]
    batch_rows: int = 64
    claim_seconds: float = 60.0
    budget_usd: float | None = None
    progress: ReportProgress = no_progress
    silent_questions: int = 256


@dataclass(slots=True)
class JudgeRunner:
    """Runs one judge. ``answerer`` and ``proof`` are needed where a server answers."""

    plan: JudgePlan
    store: JudgementStore[KnownJudgements]
    context: CommitContext
    terms: RunTerms
    answerer: JudgeAnswerer | None = None
    proof: InputProof | None = None
    _report: JudgeRunReport = field(default_factory=JudgeRunReport)
    _waiting: list[JudgeTask] = field(default_factory=list)
    _silent: int = 0

    def run(self, source: SubjectSource, *, total: int = 0) -> JudgeRunReport:
        """Judge all rows and return what came of each; ``total`` is their number, for progress.

        Raises FatalError if the server denies access or gives no more replies, or if the lake stays
        unavailable.
        """
        calls = CallCounts(cost_usd=self.plan.cost(0, 0))
        for _ in range(_ERASURES):
            self._report, self._waiting = JudgeRunReport(calls=calls), []
            try:
                self._judge_all(source, total)
            except ErasedMeanwhileError:
                continue
            return self._report
        raise FatalError("persons were erased again and again during the run: run it again")

    def _judge_all(self, source: SubjectSource, total: int) -> None:
        self.store.begin()
        self.store.refresh()
        served = self.plan.served_way is not None
        to_do = (task for subject in source() for task in self.plan.tasks_of(subject))
        for batch in in_chunks(to_do, self.terms.batch_rows if served else _OFFLINE_ROWS):
            self._judge(batch)
            self.terms.progress("judging", len(self._report.rows), total)
        while self._waiting:
            self.terms.progress("waiting for another run", len(self._report.rows), total)
            self.terms.sleep(_POLL_SECONDS)
            self.store.refresh()
            waiting, self._waiting = self._waiting, []
            for tasks in in_chunks(waiting, self.terms.batch_rows):
                self._judge(tasks)

    def _judge(self, tasks: Sequence[JudgeTask]) -> None:
        """Judge a batch: what is known counts, the rest is asked for and stored."""
        done: list[tuple[JudgeTask, JudgeAnswer, CallFacts]] = []
        to_ask = []
        for task in tasks:
            if task.answer is not None:
                done.append((task, task.answer, self._no_call()))
            elif not self._count_known(task):
                to_ask.append(task)
        to_ask, refused = self._proved(to_ask)
        done += [(task, judge_error("residue"), self._no_call()) for task in refused]
        to_ask, left = self._affordable(to_ask)
        done += [(task, judge_error("budget"), self._no_call()) for task in left]
        mine = self._claim(to_ask)
        asked = AskedBatch()
        if mine:
            if self.answerer is None:
                raise TypeError("a judge that a server answers needs an answerer")
            with renewed_claims(lambda: self._renew(mine), self.terms.claim_seconds / 3):
                asked = ask_batch(
                    self.plan, mine, self.store.known, self.answerer, self._report.calls
                )
        self._store([*done, *asked.answers], asked.same_as)
        if asked.denied is not None:
            raise FatalError(
                f"the judge's server denies access (status {asked.denied}): check its address, "
                "its key and the name of the model, then run the same command again"
            )
        self._stop_if_silent(asked)

    def _stop_if_silent(self, asked: AskedBatch) -> None:
        """Stop a run whose server is down: the rest would be errors that a later run repeats."""
        reasons = [answer.reason for _, answer, call in asked.answers if call.call_id is not None]
        if not set(reasons) <= _NO_REPLY:
            self._silent = 0
            return
        self._silent += len(reasons)
        if self._silent >= self.terms.silent_questions:
            raise FatalError(
                f"the judge's server gave no reply to {self._silent} questions in a row (the last: "
                f"{(reasons[-1] or '').replace('_', ' ')}): see whether it runs and who limits it, "
                "then run the same command again; what was judged is stored"
            )

    def _count_known(self, task: JudgeTask) -> bool:
        """Count a judgement that is there already; return whether it is."""
        known = self.store.known.find(task.key)
        if known is None or not known.is_settled:
            return False
        self._count(task, known.answer, known.epoch, is_new=False)
        return True

    def _proved(self, tasks: Sequence[JudgeTask]) -> tuple[list[JudgeTask], list[JudgeTask]]:
        """Return the questions that may leave, and those that hold personal data."""
        if self.proof is None or not tasks:
            return list(tasks), []
        passes = self.proof.passes(
            [task.subject.row for task in tasks], [t.question for t in tasks if t.question]
        )
        proved = [task for task, passed in zip(tasks, passes, strict=True) if passed]
        return proved, [task for task, passed in zip(tasks, passes, strict=True) if not passed]

    def _affordable(self, tasks: Sequence[JudgeTask]) -> tuple[list[JudgeTask], list[JudgeTask]]:
        """Return the questions that there is money for, and those that there is none for."""
        budget, spent = self.terms.budget_usd, self._report.calls.cost_usd
        if budget is None or spent is None:
            return list(tasks), []
        for at, task in enumerate(tasks):
            spent += self.expected_cost(task) or 0.0
            if spent > budget:
                return list(tasks[:at]), list(tasks[at:])
        return list(tasks), []

    def expected_cost(self, task: JudgeTask) -> float | None:
        """Return what the call for a judgement will cost, None without prices."""
        if task.question is None:
            return self.plan.cost(0, 0)
        tokens = self.plan.request(task.question).tokens
        return self.plan.cost(tokens, self.plan.reply_tokens)

    def _claim(self, tasks: Sequence[JudgeTask]) -> list[JudgeTask]:
        """Claim questions in the table; return those that are this run's now."""
        mine: list[JudgeTask] = []
        others: list[JudgeTask] = []
        known_now: list[JudgeTask] = []

        def decide() -> list[JudgementRow]:
            now, known = self.context.now_us(), self.store.known
            for group in (mine, others, known_now):
                group.clear()
            for task in tasks:
                answer = known.find(task.key)
                claim = known.claim_on(task.key.judgement_id, now)
                if answer is not None and answer.is_settled:
                    known_now.append(task)
                elif claim is not None and claim.run_id != self.terms.run_id:
                    others.append(task)
                else:
                    mine.append(task)
            return self._claim_rows(mine, now)

        if tasks:
            self.store.append(decide)
        self._waiting += others
        for task in known_now:
            self._count_known(task)
        return mine

    def _claim_rows(self, tasks: Iterable[JudgeTask], now: int) -> list[JudgementRow]:
        until = now + int(self.terms.claim_seconds * 1_000_000)
        return [
            claim_row(
                task.key,
                judge=self.plan.definition.judge,
                trace_id=task.subject.trace_id,
                run_id=self.terms.run_id,
                now=now,
                until=until,
            )
            for task in tasks
        ]

    def _renew(self, tasks: Sequence[JudgeTask]) -> None:
        self.store.append(lambda: self._claim_rows(tasks, self.context.now_us()))

    def _store(
        self,
        answers: Sequence[tuple[JudgeTask, JudgeAnswer, CallFacts]],
        same_as: Mapping[JudgementKey, JudgementKey],
    ) -> None:
        """Store answers in one commit, but for those that another run has stored meanwhile."""

        def decide() -> list[JudgementRow]:
            known, now = self.store.known, self.context.now_us()
            epochs = dict(known.epochs)
            rows = []
            for task, answer, call in answers:
                before = known.find(task.key)
                if before is not None and (
                    before.is_settled or (before.answer == answer and not call.call_id)
                ):
                    continue
                epoch = known.current_epoch
                if call.model_served is not None:
                    newest = max(epochs.values(), default=0)
                    epoch = epochs.setdefault(call.model_served, newest + 1)
                source = same_as.get(task.key)
                if source is not None:
                    call = replace(call, cached_from=source._replace(epoch=epoch).judgement_id)  # noqa: PLW2901 - completed
                attempt = 1 if before is None else before.attempt + 1
                judgement = self.plan.judgement(
                    task,
                    answer,
                    call,
                    run_id=self.terms.run_id,
                    now=now,
                    epoch=epoch,
                    attempt=attempt,
                )
                rows.append(judgement_row(judgement))
            return rows

        stored = {}
        if answers:
            stored = {(row["subject"], row["repeat"]): row for row in self.store.append(decide)}
        for task, answer, _ in answers:
            row = stored.get((task.key.subject, task.key.repeat))
            if row is not None:
                self._count(task, stored_answer(row), row["epoch"], is_new=True)
            elif not self._count_known(task):
                self._count(task, answer, self.store.known.current_epoch, is_new=False)

    def _no_call(self) -> CallFacts:
        return CallFacts(self.plan.way.model)

    def _count(self, task: JudgeTask, answer: JudgeAnswer, epoch: int, *, is_new: bool) -> None:
        if task.key.repeat:
            self._report.repeats += 1
            return
        self._report.judged += is_new
        self._report.known += not is_new
        subject: JudgeSubject = task.subject
        self._report.rows.add(
            ReportedRow(subject.trace_id, subject.weighted, answer, epoch, subject.is_sampled)
        )
