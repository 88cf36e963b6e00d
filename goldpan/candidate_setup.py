"""Sets up the run of a candidate from the settings: its server, rows, prices and work file."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from batch.gate.candidate_chat import CandidatePlan, Tool, tools_of
from batch.gate.candidate_run import CandidateEstimate, CandidateRun, CandidateTerms
from batch.gate.candidate_work import SUFFIX, CandidateWork, RunIdentity
from batch.gate.gate_lines import CandidateLine
from batch.judge.server import JudgeServer, ServerWords, allowed_server
from batch.progress import ReportProgress
from batch.release.format.rows import json_rows
from goldpan import release_setup, wiring
from goldpan.judge_setup import connect_client
from goldpan.otel_setup import make_assembly_rules
from goldpan.settings import Settings
from judges.judged_row import judged_row_of
from lake.tables import Lake
from otel.price_table import ModelPrice
from schemas.errors import UsageError
from schemas.json_lines import encode_json_lines
from schemas.text_files import read_text_file

_WORDS: Final = ServerWords("the candidate's server", "GOLDPAN_CANDIDATE__")


@dataclass(frozen=True, slots=True)
class CandidateChoice:
    """What to run: a model over a release, into a file.

    ``instructions`` and ``tools`` are files, ``price`` is that of a million tokens, in and out.
    """

    model: str
    release: str
    out: Path
    max_tokens: int
    instructions: Path | None = None
    tools: Path | None = None
    price: tuple[float, float] | None = None
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True)
class CandidateReport:
    """What came of a run: a line for each row, and what all runs of the file have cost, at most.

    ``models`` counts replies by the model that the server named.
    """

    release: str
    lines: dict[str, CandidateLine]
    calls: int
    spent_usd: float | None
    models: dict[str, int]

    @property
    def errors(self) -> dict[str, int]:
        """Return how many rows have which error."""
        reasons = [line.error for line in self.lines.values() if line.error is not None]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons))}

    @property
    def answered(self) -> int:
        """Return how many rows were answered."""
        return sum(line.error is None for line in self.lines.values())


def run_candidate(
    settings: Settings,
    choice: CandidateChoice,
    show: Callable[[CandidateEstimate, float | None], None],
    progress: ReportProgress,
) -> CandidateReport:
    """Run a model over the rows of a release. ``show`` is told what it will cost before.

    The lines are returned, not written. Raises UsageError for a mistake, and FatalError if the
    server denies access.
    """
    server = _server(settings)
    price = _price(settings, choice)
    budget = settings.candidate.budget_usd if choice.budget_usd is None else choice.budget_usd
    if budget is not None and price is None:
        raise UsageError(
            f"There is a budget, but no price of {choice.model} is known: give --price INPUT "
            "OUTPUT, in US dollars for a million tokens, or run without a budget."
        )
    release, table = release_setup.open_release(settings, choice.release)
    rows = [judged_row_of(row) for row in json_rows(table)]
    instructions = None
    if choice.instructions is not None:
        name = f"The file {choice.instructions} of --instructions"
        instructions = read_text_file(choice.instructions, name)
    tools = tools_of(rows) if choice.tools is None else _read_tools(choice.tools)
    plan = CandidatePlan(choice.model, choice.max_tokens, instructions, tools)
    wiring.refuse_other_keys(settings, Lake(settings.lake))
    redactor = wiring.load_redaction(settings.redact).redactor
    identity = RunIdentity(
        model=choice.model,
        release=release.digest,
        settings={
            "instructions": _digest(instructions),
            "tools": _digest(list(tools)),
            "max_tokens": str(choice.max_tokens),
        },
    )
    work_file = choice.out.with_name(choice.out.name + SUFFIX)
    with CandidateWork(work_file, identity) as work:
        terms = CandidateTerms(price, budget, wiring.now_us, progress)
        run = CandidateRun(plan, rows, work, redactor, terms)
        show(run.estimate(), budget)
        limits = settings.candidate
        with connect_client(server, limits, limits.timeout_seconds) as client:
            lines = run.run(client)
        spent = None if price is None else work.spent_usd
        return CandidateReport(
            f"{release.name}@{release.version}", lines, run.calls, spent, dict(work.models)
        )


def encode_candidate(lines: dict[str, CandidateLine]) -> bytes:
    """Return the lines as the file that ``goldpan gate --candidate`` reads."""
    return encode_json_lines(
        {name: value for name, value in msgspec.to_builtins(line).items() if value is not None}
        for line in lines.values()
    )


def _server(settings: Settings) -> JudgeServer:
    candidate = settings.candidate
    if candidate.url is None:
        raise UsageError(f"{_WORDS.settings}URL is not set: it names the candidate's server.")
    return allowed_server(candidate.url, candidate.allowed_hosts, candidate.key_file, _WORDS)


def _price(settings: Settings, choice: CandidateChoice) -> ModelPrice | None:
    if choice.price is not None:
        return ModelPrice(input=choice.price[0], output=choice.price[1])
    prices = make_assembly_rules(settings).prices
    return None if prices is None else prices.find(None, choice.model)


def _read_tools(file: Path) -> list[Tool]:
    name = f"The file {file} of --tools"
    try:
        tools = json.loads(read_text_file(file, name))
    except (ValueError, RecursionError):
        raise UsageError(f"{name} is not JSON.") from None
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise UsageError(f"{name} must be a list of tools, as the server takes them in `tools`.")
    return tools


def _digest(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
