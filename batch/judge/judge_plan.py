"""A run's judge: the definition, the way that answers all of it, and the thresholds in use."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from batch.judge.subjects import JudgeSubject
from judges.answer import answer_of_probability
from judges.definition import DEFAULT_THRESHOLDS, JudgeDefinition, VerdictThresholds
from judges.judgement import (
    FIRST_EPOCH,
    CallFacts,
    Judgement,
    JudgementKey,
    SubjectKind,
    call_id,
    repeats_of,
)
from judges.offline import answer_offline
from judges.outcome import JudgeAnswer
from judges.render import JudgeQuestion, UnaskedRow, ask
from judges.ways import ChatWay, CheckWay, DecisionWay, JudgeWay, LocalWay, ServedWay
from judges.wires import WireRequest, failure_mode_request, verdict_request

_REPLY_TOKENS: Final = 16
"""What a verdict takes in a chat reply, unless the definition limits it."""


@dataclass(frozen=True, slots=True, repr=False)
class JudgeTask:
    """One judgement to make; either there is a question, or the answer is known without one.

    The epoch of ``key`` is the first: which one it is turns out with the answer.
    """

    subject: JudgeSubject
    key: JudgementKey
    question: JudgeQuestion | None = None
    answer: JudgeAnswer | None = None


@dataclass(frozen=True)
class JudgePlan:
    """A judge as one way answers it. ``calibrated`` are its thresholds where the file says so."""

    definition: JudgeDefinition
    way: JudgeWay
    calibrated: VerdictThresholds | None = None

    @cached_property
    def thresholds(self) -> VerdictThresholds:
        """Return the thresholds in use."""
        return self.definition.thresholds or self.calibrated or DEFAULT_THRESHOLDS

    @cached_property
    def judge_digest(self) -> str:
        """Return the digest of all that decides an outcome."""
        return self.definition.digest_of_way(self.way, self.thresholds)

    @cached_property
    def question_digest(self) -> str:
        """Return the digest of all that decides what is asked."""
        return self.definition.question_digest_of(self.way)

    @property
    def served_way(self) -> ServedWay | None:
        """Return the way if a server answers, else None."""
        return self.way if isinstance(self.way, ChatWay | DecisionWay) else None

    def tasks_of(self, subject: JudgeSubject) -> list[JudgeTask]:
        """Return the judgements of a row: one, and its repetitions where a server answers."""
        if isinstance(self.way, LocalWay | CheckWay):
            done = answer_offline(self.definition, self.way, subject.row, self.thresholds)
            key = self._key(subject, done.input_digest)
            return [JudgeTask(subject.without_texts(), key, answer=done.answer)]
        asked = ask(self.definition, subject.row)
        key = self._key(subject, asked.input_digest)
        if isinstance(asked, UnaskedRow):
            return [JudgeTask(subject, key, answer=asked.answer)]
        times = repeats_of(self.definition, subject.trace_id)
        return [JudgeTask(subject, key._replace(repeat=at), asked) for at in range(times)]

    def judgement(  # noqa: PLR0913 - one for each fact that the plan does not know
        self,
        task: JudgeTask,
        answer: JudgeAnswer,
        call: CallFacts,
        *,
        run_id: str,
        now: int,
        epoch: int = FIRST_EPOCH,
        attempt: int = 1,
    ) -> Judgement:
        """Return the judgement that an answer makes; ``now`` in microseconds since 1970 (UTC)."""
        subject, trace = task.subject, task.subject.row.trace
        return Judgement(
            key=task.key._replace(epoch=epoch),
            judge=self.definition.judge,
            judge_version=self.definition.version,
            way=self.way.kind,
            answer=answer,
            call=call,
            trace_id=trace.trace_id,
            run_id=run_id,
            judged_at=now,
            attempt=attempt,
            revision=subject.row.revision,
            arm=subject.arm,
            probability=subject.probability,
            release=subject.release,
            app=trace.app or None,
            prompt_version=trace.prompt_version,
            model_version=trace.model_version,
            cluster=subject.cluster,
            segments=trace.segments,
        )

    def call_id(self, key: JudgementKey, epoch: int) -> str:
        """Return what identifies the call for a judgement in an epoch."""
        return call_id(self.question_digest, key.input_digest, epoch, key.repeat)

    def request(self, question: JudgeQuestion) -> WireRequest:
        """Return the request that asks a question; only where a server answers."""
        return verdict_request(self._served(), question)

    def mode_request(self, question: JudgeQuestion) -> WireRequest:
        """Return the request that asks how a row failed."""
        return failure_mode_request(self._served(), question, self.modes)

    @property
    def modes(self) -> Sequence[str]:
        """Return the failure modes of the definition."""
        return self.definition.failure_modes

    def with_thresholds(self, answer: JudgeAnswer) -> JudgeAnswer:
        """Return an answer to an equal question under the thresholds in use now."""
        if isinstance(self.way, DecisionWay) and answer.p_fail is not None:
            again = answer_of_probability(answer.p_fail, self.thresholds)
            return answer if again.outcome == answer.outcome else again
        return answer

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """Return what tokens cost in US dollars, None without prices."""
        price = self.definition.cost
        return None if price is None else price.of(input_tokens, output_tokens)

    @property
    def reply_tokens(self) -> int:
        """Return the estimated tokens of a reply."""
        if isinstance(self.way, ChatWay):
            return self.way.max_tokens or _REPLY_TOKENS
        return 0

    def _served(self) -> ServedWay:
        if self.served_way is None:
            raise TypeError("no server answers this judge")
        return self.served_way

    def _key(self, subject: JudgeSubject, input_digest: str) -> JudgementKey:
        kind: SubjectKind = "trace" if subject.arm == "window" else "row"
        return JudgementKey(self.judge_digest, subject.trace_id, input_digest, kind=kind)
