"""A row that is judged outside the lake has the id and the outcome that a run would store."""

import json
from pathlib import Path
from typing import Any

from batch.judge.judge_plan import JudgePlan
from batch.judge.row_judge import RowJudge
from judges.definition import parse_judge
from judges.judged_row import judged_row_of
from judges.outcome import ERROR_REASONS
from lake.tables import Lake
from tests.batch.judge.world import DEFINITION, Said, ScriptedServer, World, asked, stored
from tests.batch.kit import new_lake

TIME = 1_790_000_000_000_000


class Passes:
    """A proof that lets all rows leave."""

    def passes(self, rows: Any, questions: Any) -> list[bool]:  # noqa: ARG002 - its name
        """Return that each may."""
        return [True] * len(rows)


def said(text: str) -> Said:
    """Answer each of all outcomes in turn, by the number in the question."""
    number = int(text.split("parcel ")[1].split("?", maxsplit=1)[0])
    everything: list[Said] = ["pass", "fail", "unknown", *ERROR_REASONS]
    return everything[number % len(everything)]


def test_a_served_judge_gives_the_ids_and_outcomes_of_a_run(tmp_path: Path) -> None:
    """All outcomes and reasons."""
    rows = [asked(number) for number in range(13)]
    lake: Lake = new_lake(tmp_path / "lake", rows)
    World(lake, ScriptedServer(said)).run()
    definition = parse_judge(DEFINITION, "judge.yaml")
    plan = JudgePlan(definition, definition.by[0])
    judge = RowJudge(plan, lambda: TIME, "r", ScriptedServer(said), Passes())
    alone = [judge.judge(judged_row_of(_json(row))) for row in rows]
    run = {j.judgement_id: j.answer for j in stored(lake)}
    assert {j.judgement_id: j.answer for j in alone} == run
    assert len({j.answer.outcome for j in alone}) == 4


def _json(trace: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(json.dumps(trace, default=_fields))
    return fields


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}
