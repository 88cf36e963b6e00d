"""Checks of the answer's text alone: that there is one, that it is whole, that it is no refusal."""

import re
import unicodedata
from collections import Counter
from typing import Final

from judges.judged_row import JudgedRow
from judges.outcome import JudgeAnswer, judge_error

_CUT_REASONS: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_TOOL_REASONS: Final = frozenset({"tool_calls", "tool_use", "function_call"})
_FEWEST_LETTERS: Final = 12
_LOOKED_AT: Final = 400
"""A refusal stands at the beginning of an answer."""

_CANNOT: Final = r"(?:can(?:no|')t|can not|am unable(?: to)?|am not able to|won't|will not)"
_SORRY: Final = rf"I(?:'m| am)(?: really| very| so)? (?:sorry|afraid)[,.]?(?: but)? I {_CANNOT}"
_DECLINES: Final = (
    rf"I (?:{_CANNOT}|must decline to|have to decline to) (?:assist|help|provide|do that|answer|"
    r"comply|fulfil|discuss|share|give|offer|create|continue|engage|support)"
)
_AS_MODEL: Final = r"as an AI (?:language )?(?:model|assistant)|I(?:'m| am) (?:just|only) an AI"
_NOT_ALLOWED: Final = (
    r"I(?:'m| am) not (?:able|allowed|permitted|authori[sz]ed) to|"
    r"against my (?:guidelines|policy|programming)"
)
_ELSEWHERE: Final = (
    r"es tut mir leid, (?:aber )?(?:ich|das) kann|das kann ich (?:leider )?nicht|"
    r"je (?:suis désolée?|regrette),? mais je ne peux|je ne peux pas vous aider|"
    r"lo siento, (?:pero )?no puedo|no puedo ayudar|mi dispiace, (?:ma )?non posso|"
    r"desculpe, (?:mas )?não posso"
)
_REFUSALS: Final = re.compile(
    rf"\b(?:{_SORRY}|{_DECLINES}|{_AS_MODEL}|{_NOT_ALLOWED}|{_ELSEWHERE})", re.IGNORECASE
)


def check_empty_answer(row: JudgedRow) -> JudgeAnswer:
    """Pass if there is text in the answer.

    A call that failed has no answer, and one that ended in tool calls has another kind: neither is
    applicable.
    """
    trace = row.trace
    if trace.status == "error" or (not trace.response and trace.finish_reason in _TOOL_REASONS):
        return JudgeAnswer("not_applicable")
    return JudgeAnswer("pass" if (trace.response or "").strip() else "fail")


def check_refusal(row: JudgedRow) -> JudgeAnswer:
    """Pass if the answer does not begin with a phrase of refusal.

    The phrases are a list, in English, German, French, Spanish, Italian and Portuguese.
    """
    response = row.trace.response
    if response is None:
        return judge_error("missing_input")
    return JudgeAnswer("fail" if has_refusal(response) else "pass")


def check_truncated(row: JudgedRow) -> JudgeAnswer:
    """Pass if the model did not stop because it ran out of tokens.

    Without a reason why it stopped the row lacks what the check reads.
    """
    reason = row.trace.finish_reason
    if reason is None:
        return judge_error("missing_input")
    return JudgeAnswer("fail" if reason in _CUT_REASONS else "pass")


def check_script(row: JudgedRow) -> JudgeAnswer:
    """Pass if the answer is mostly in the script of the question, such as Latin or Cyrillic.

    It is no check of the language. Not applicable where either has fewer than twelve letters.
    """
    question, response = row.question, row.trace.response
    if question is None or response is None:
        return judge_error("missing_input")
    scripts = [main_script(text) for text in (question, response)]
    if None in scripts:
        return JudgeAnswer("not_applicable")
    return JudgeAnswer("pass" if scripts[0] == scripts[1] else "fail")


def has_refusal(response: str) -> bool:
    """Return whether a text begins with a phrase of refusal."""
    opening = response[:_LOOKED_AT].replace("’", "'")  # noqa: RUF001 - the apostrophe of editors
    return _REFUSALS.search(opening) is not None


def main_script(text: str) -> str | None:
    """Return the script that most letters of a text have; None with fewer than twelve letters."""
    letters = Counter(_script(char) for char in text[:4_000] if char.isalpha())
    return letters.most_common(1)[0][0] if letters.total() >= _FEWEST_LETTERS else None


def _script(letter: str) -> str:
    """Return the script of a letter by the first word of its name in Unicode."""
    name = unicodedata.name(letter, "")
    first = name.partition(" ")[0].partition("-")[0]
    return "CJK" if first in ("CJK", "HIRAGANA", "KATAKANA") else first
