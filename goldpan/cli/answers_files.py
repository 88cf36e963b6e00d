"""Writes what a run's rows were answered: the report with answers, and the rows that changed."""

from pathlib import Path

from batch.gate.changed_answers import AnsweredRows, changed_answers
from batch.gate.gate_report import answers_page
from batch.gate.gate_run import GateRun, decode_readings
from goldpan.cli.metrics_file import write_atomically
from schemas.json_lines import encode_json_lines


def write_answers(
    report: Path | None, changed: Path | None, name: str, run: GateRun, answered: AnsweredRows
) -> None:
    """Write the report with answers, and the rows that changed, where a file is given."""
    if report is not None:
        write_atomically(report, answers_page(name, run, answered), "--report")
    if changed is not None:
        rows = changed_answers(run.definition, decode_readings(run.readings, name), answered)
        write_atomically(changed, encode_json_lines(row.to_json() for row in rows), "--changed")
