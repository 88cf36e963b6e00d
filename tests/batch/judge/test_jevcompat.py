"""jevcompat's own mock server, with each of its faults: the outcome is the one that is listed."""

import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from batch.judge.client import JudgeClient
from batch.judge.server import JudgeServer
from batch.judge.waits import RetryWaits
from judges.answer import JudgeReply
from judges.definition import VerdictThresholds
from judges.outcome import VERDICTS
from judges.render import JudgeQuestion, ask
from judges.ways import DecisionWay
from judges.wires import failure_mode_request, verdict_request
from tests.batch.judge.jevcompat_faults import FAULTS, VERDICT, JevFault
from tests.judges.kit import definition, row
from tests.partners.environment import Partners

THRESHOLDS = VerdictThresholds(pass_at_most=0.35, fail_at_least=0.65)
LEAKS = frozenset({"id-leaks", "batch-leaks", "order-leaks"})
"""Faults that make the model answer otherwise; no single reply shows them."""


class Asked(NamedTuple):
    """What a server said to the judge's question, and how it says that the row failed."""

    reply: JudgeReply
    mode: str | None


@pytest.fixture(scope="module")
def addresses(
    judge_partners: Partners, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The servers, by fault; that without one has no name."""
    home = tmp_path_factory.mktemp("jevcompat")
    keys = {fault.name: fault.server_key for fault in FAULTS if fault.server_key}
    with subprocess.Popen(
        judge_partners.command("jevcompat_servers.py", json.dumps(keys)),
        env=judge_partners.environment(home),
        cwd=home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.kill()


def asked(address: str, fault: JevFault | None = None) -> Asked:
    """Ask a server the question of a judge, and then how the row failed."""
    model = "jev-1.13.0" if fault is None else fault.model
    way = DecisionWay.model_validate({"decision": model, "wire": "systemone", "floating": True})
    judge = definition()
    question = ask(judge, row())
    assert isinstance(question, JudgeQuestion)
    key = SecretStr(fault.sent_key) if fault is not None and fault.sent_key else None
    waits = RetryWaits(random.Random(1).uniform, time.time)  # noqa: S311 - not for secrets
    requests = [
        verdict_request(way, question),
        failure_mode_request(way, question, judge.failure_modes),
    ]
    with JudgeClient(JudgeServer(address, key), waits, time.monotonic) as client:
        verdict, mode = client.send_all(requests)
    return Asked(verdict.reply(way, THRESHOLDS), mode.failure_mode(way, judge.failure_modes))


def test_the_list_is_that_of_the_mock(addresses: dict[str, str]) -> None:
    """All 47, and no other."""
    assert set(addresses) == {"", *(fault.name for fault in FAULTS)}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_has_its_outcome(addresses: dict[str, str], fault: JevFault) -> None:
    """An error for its reason, or else the verdict that the server has without the fault."""
    found = asked(addresses[fault.name], fault)
    answer = found.reply.answer
    if fault.expected != VERDICT:
        assert (answer.outcome, answer.reason) == ("error", fault.expected)
        return
    assert answer.outcome in VERDICTS
    modes = definition().failure_modes
    assert found.mode is None or found.mode in modes
    if fault.name not in LEAKS:
        assert answer == asked(addresses[""]).reply.answer


def test_without_a_fault_all_of_it_is_read(addresses: dict[str, str], tmp_path: Path) -> None:
    """Probability, served model, tokens and failure mode."""
    found = asked(addresses[""])
    assert found.reply.answer.p_fail is not None
    assert found.reply.model_served == "jevcompat-mock-0.1"
    assert found.reply.input_tokens
    assert found.mode is not None
