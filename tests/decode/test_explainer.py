"""Sentences about broken rules come from the contract alone, whatever the typed decoder says."""

import pytest

from decode.explainer import ErrorExplainer
from schemas.contract import CONTRACTS
from schemas.reasons import QuarantineReason

SECRET = "Zq7XwKp9Rv"
EXPLAINER = ErrorExplainer(CONTRACTS["trace"])


@pytest.mark.parametrize(
    "message",
    [
        SECRET,
        f"A rule of a later version about `{SECRET}`",
        f"A rule of a later version - at `$.{SECRET}`",
        f"A rule of a later version - at `$.app.{SECRET}`",
        f"Expected `str`, got `int` - at `$.messages[0].{SECRET}`",
        f"Expected `str`, got `int` - at `$.app[{SECRET}]`",
        f"Expected `str`, got `{SECRET}`",
        f"Expected `{SECRET}`, got `int` - at `$.app`",
        f"Object missing required field `{SECRET}`",
        f"Object contains unknown field `{SECRET}`",
        f"Object contains unknown field `{SECRET} - at `$.response`",
        f"Object contains unknown field `\n{SECRET}` - at `$.messages[3]`",
        f"Invalid enum value '{SECRET}' - at `$.status`",
        f"Invalid enum value '{SECRET}'",
    ],
)
def test_no_message_gets_through_as_it_is(message: str) -> None:
    """A message that is not known, or not as it should be, gets a general sentence."""
    refusal = EXPLAINER.explain(message)
    assert SECRET not in f"{refusal.detail} {refusal.field}"
    assert refusal.detail.endswith(".")
    assert isinstance(refusal.reason, QuarantineReason)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (
            "Expected `str`, got `int` - at `$.messages[2].tool_calls[1].arguments`",
            "`messages[2].tool_calls[1].arguments` must be text, but is a whole number.",
        ),
        (
            "Object missing required field `name` - at `$.tool_calls[0]`",
            "`tool_calls[0]` lacks `name`, which the contract requires.",
        ),
        (
            "Expected `str` of length <= 512 - at `$.trace_id`",
            "`trace_id` must have 1 to 512 characters.",
        ),
        (
            "Invalid enum value 'x' - at `$.status`",
            "`status` must be one of ok, error.",
        ),
        (
            "Expected `str`, got `null` - at `$.segments[...]`",
            "Each value of `segments` must be text, but one is null.",
        ),
    ],
)
def test_a_sentence_names_the_place_and_the_rule(message: str, sentence: str) -> None:
    """Items are counted, so that a person finds the one that is meant."""
    assert EXPLAINER.explain(message).detail == sentence
