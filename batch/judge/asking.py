"""Asks the questions of a batch: equal ones once, and none that was answered before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from batch.judge.client import Delivery
from batch.judge.judge_plan import JudgePlan, JudgeTask
from batch.judge.known_judgements import KnownJudgements
from batch.judge.run_report import CallCounts
from judges.answer import JudgeReply
from judges.judgement import CallFacts, JudgementKey
from judges.outcome import JudgeAnswer
from judges.wires import WireRequest


class JudgeAnswerer(Protocol):
    """Sends requests to a judge's server; `batch.judge.client.JudgeClient` is one."""

    def send_all(
        self,
        requests: Sequence[WireRequest],
        on_delivery: Callable[[int, Delivery], None] = ...,
    ) -> list[Delivery]:
        """Return what came of each request, in their order."""


@dataclass(slots=True)
class AskedBatch:
    """The answers to a batch.

    ``denied`` is the status of a server that takes no request at all; those tasks have no answer.
    A server that denies some and answers others has refused these rows, which may pass.
    ``same_as`` names the judgement of the batch whose answer an equal question got, by the key.
    """

    answers: list[tuple[JudgeTask, JudgeAnswer, CallFacts]] = field(default_factory=list)
    denied: int | None = None
    same_as: dict[JudgementKey, JudgementKey] = field(default_factory=dict)


def ask_batch(
    plan: JudgePlan,
    tasks: Sequence[JudgeTask],
    judgements: KnownJudgements,
    answerer: JudgeAnswerer,
    calls: CallCounts,
) -> AskedBatch:
    """Return the answers to questions, and count what they cost in ``calls``."""
    batch = AskedBatch()
    first: dict[str, JudgeTask] = {}
    again: list[tuple[JudgeTask, str]] = []
    for task in tasks:
        before = judgements.find_call(partial(plan.call_id, task.key))
        if before is not None:
            facts = CallFacts(plan.way.model, cost_usd=plan.cost(0, 0),
                              cached_from=before.judgement_id)  # fmt: skip
            batch.answers.append((task, plan.with_thresholds(before.answer), facts))
            calls.cached += 1
            continue
        call = plan.call_id(task.key, judgements.current_epoch)
        if call in first:
            again.append((task, call))
        else:
            first[call] = task
    answered = _ask_each(plan, first, answerer, calls, batch)
    for task, call in again:
        if call in answered:
            answer, facts = answered[call]
            batch.same_as[task.key] = first[call].key
            cached = CallFacts(plan.way.model, facts.model_served, cost_usd=plan.cost(0, 0))
            batch.answers.append((task, answer, cached))
            calls.cached += 1
    return batch


def _ask_each(
    plan: JudgePlan,
    first: dict[str, JudgeTask],
    answerer: JudgeAnswerer,
    calls: CallCounts,
    batch: AskedBatch,
) -> dict[str, tuple[JudgeAnswer, CallFacts]]:
    questions = [task.question for task in first.values() if task.question is not None]
    requests = [plan.request(question) for question in questions]
    deliveries = answerer.send_all(requests) if requests else []
    if _is_closed(deliveries, calls):
        batch.denied = deliveries[0].status
        calls.made += sum(delivery.calls for delivery in deliveries)
        return {}
    modes, mode_costs = _ask_modes(plan, first, deliveries, answerer, calls)
    answered = {}
    for (call, task), request, delivery in zip(first.items(), requests, deliveries, strict=True):
        calls.made += delivery.calls
        reply = _reply(plan, delivery)
        answer = reply.answer
        if call in modes:
            answer = JudgeAnswer(answer.outcome, p_fail=answer.p_fail, failure_mode=modes[call])
        facts = _facts(plan, call, request, delivery, reply, mode_costs.get(call, 0.0))
        calls.input_tokens += facts.input_tokens or 0
        calls.output_tokens += facts.output_tokens or 0
        if calls.cost_usd is not None:
            calls.cost_usd += facts.cost_usd or 0.0
        answered[call] = (answer, facts)
        batch.answers.append((task, answer, facts))
    return answered


def _is_closed(deliveries: Sequence[Delivery], calls: CallCounts) -> bool:
    """Return whether the server takes no request at all, as far as a batch can show."""
    if not all(delivery.is_denied for delivery in deliveries):
        return False
    return len(deliveries) > 1 or (len(deliveries) == 1 and not calls.input_tokens)


def _ask_modes(
    plan: JudgePlan,
    first: dict[str, JudgeTask],
    deliveries: Sequence[Delivery],
    answerer: JudgeAnswerer,
    calls: CallCounts,
) -> tuple[dict[str, str], dict[str, float]]:
    """Ask how the failed rows failed; return the modes and what asking cost, both by call."""
    way = plan.served_way
    if not plan.modes or way is None:
        return {}, {}
    failed = [
        (call, task)
        for (call, task), delivery in zip(first.items(), deliveries, strict=True)
        if _reply(plan, delivery).answer.outcome == "fail"
    ]
    requests = [plan.mode_request(task.question) for _, task in failed if task.question]
    modes, costs = {}, {}
    for (call, _), request, delivery in zip(
        failed, requests, answerer.send_all(requests) if requests else [], strict=True
    ):
        calls.made += delivery.calls
        if delivery.body is not None:
            costs[call] = plan.cost(request.tokens, plan.reply_tokens) or 0.0
        mode = delivery.failure_mode(way, plan.modes)
        if mode is not None:
            modes[call] = mode
    return modes, costs


def _reply(plan: JudgePlan, delivery: Delivery) -> JudgeReply:
    way = plan.served_way
    if way is None:
        raise TypeError("no server answers this judge")
    return delivery.reply(way, plan.thresholds)


def _facts(  # noqa: PLR0913, PLR0917 - what it is made of
    plan: JudgePlan,
    call: str,
    request: WireRequest,
    delivery: Delivery,
    reply: JudgeReply,
    mode_cost: float,
) -> CallFacts:
    """Return what a call cost: by the server's count, else by an upper estimate of the tokens.

    ``mode_cost`` is that of the call for the failure mode.
    """
    may_bill = delivery.body is not None or delivery.reason == "timeout"
    input_tokens = reply.input_tokens
    if input_tokens is None and may_bill:
        input_tokens = request.tokens
    output_tokens = reply.output_tokens
    if output_tokens is None and may_bill:
        output_tokens = plan.reply_tokens
    cost = plan.cost(input_tokens or 0, output_tokens or 0)
    return CallFacts(
        model_requested=plan.way.model,
        model_served=reply.model_served,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=None if cost is None else cost + mode_cost,
        latency_ms=delivery.latency_ms,
        call_id=call,
    )
