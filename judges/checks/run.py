"""Runs a check by its name."""

from collections.abc import Callable, Mapping
from typing import Final

from judges.checks.answer_text import (
    check_empty_answer,
    check_refusal,
    check_script,
    check_truncated,
)
from judges.checks.citations import check_citations
from judges.checks.tool_calls import check_repeated_calls, check_tool_arguments, check_tool_errors
from judges.judged_row import JudgedRow
from judges.outcome import JudgeAnswer
from judges.ways import CheckName

_CHECKS: Final[Mapping[CheckName, Callable[[JudgedRow], JudgeAnswer]]] = {
    "citations": check_citations,
    "tool_arguments": check_tool_arguments,
    "tool_errors": check_tool_errors,
    "repeated_calls": check_repeated_calls,
    "empty_answer": check_empty_answer,
    "refusal": check_refusal,
    "truncated": check_truncated,
    "script": check_script,
}


def run_check(name: CheckName, row: JudgedRow) -> JudgeAnswer:
    """Return what a check says of a row: pass, fail, not applicable, or an error without input."""
    return _CHECKS[name](row)


def what_check_does(name: CheckName) -> str:
    """Return the first line of what a check is."""
    return (_CHECKS[name].__doc__ or "").partition("\n")[0]
