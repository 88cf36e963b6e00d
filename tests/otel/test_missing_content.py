"""An application that exports no texts is reported once, with the setting that switches them on."""

import json

import pytest

from otel.assembly import AssembledTrace
from otel.dialects import DIALECTS
from otel.explanation import describe_trace
from otel.missing_content import (
    CONTENT_SETTINGS,
    MOST_APPLICATIONS,
    ContentObservation,
    ContentWatch,
)
from otel.signals import OtelSpan
from tests.otel.captures import CAPTURES, assemble_capture
from tests.otel.make_spans import assemble, chat, messages, span


def silent(number: int = 1, **attributes: object) -> OtelSpan:
    """Return a model call as OpenTelemetry exports it by default: names and tokens only."""
    return span(number, attributes={"gen_ai.operation.name": "chat", "gen_ai.system": "openai",
                                    "gen_ai.usage.input_tokens": 3, **attributes})  # fmt: skip


def observe(watch: ContentWatch, trace: AssembledTrace) -> str | None:
    """Show a trace to the watch."""
    observation = trace.content_observation
    assert observation is not None
    return watch.observe(observation)


def test_an_application_without_texts_is_reported_once() -> None:
    """After some traces, with the setting of its dialect."""
    watch = ContentWatch(enough=3)
    said = [observe(watch, assemble(silent())) for _ in range(9)]
    assert said[:2] == [None, None]
    assert said[2] is not None
    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" in said[2]
    assert said[3:] == [None] * 6


def test_an_application_that_showed_a_text_is_not_reported() -> None:
    """Nor one whose model only asked for tools."""
    watch = ContentWatch(enough=2)
    assert observe(watch, assemble(chat(1))) is None
    assert [observe(watch, assemble(silent())) for _ in range(5)] == [None] * 5
    asked = json.dumps([{"role": "assistant", "parts": [{"type": "tool_call", "name": "t"}]}])
    assert assemble(silent(1, **{"gen_ai.output.messages": asked})).has_content
    assert assemble(silent(1, **{"gen_ai.input.messages": messages(("user", "a"))})).has_content


def test_a_trace_without_model_calls_says_nothing() -> None:
    """A health check, or an agent whose calls were lost."""
    agent = span(1, attributes={"gen_ai.operation.name": "invoke_agent"})
    for trace in (assemble(span(1)), assemble(agent)):
        assert trace.content_observation is None
        assert trace.has_content


def test_names_of_applications_cannot_fill_the_memory() -> None:
    """After many of them further ones are left alone."""
    watch = ContentWatch(enough=1)
    reported = [
        watch.observe(ContentObservation(f"app {n}", ("mlflow",), has_content=False))
        for n in range(2 * MOST_APPLICATIONS)
    ]
    assert sum(text is not None for text in reported) == MOST_APPLICATIONS


def test_each_dialect_has_a_setting() -> None:
    """So that a report always says what to do."""
    assert {dialect.name for dialect in DIALECTS} == CONTENT_SETTINGS.keys()


def test_the_explanation_says_what_to_switch_on() -> None:
    """For a trace without texts only."""
    assert "CAPTURE_MESSAGE_CONTENT" in describe_trace(assemble(silent()))["switch_on"]
    assert describe_trace(assemble(chat(1)))["switch_on"] is None


@pytest.mark.parametrize(("source", "encoding"), CAPTURES)
def test_captured_traces_with_content_are_not_reported(source: str, encoding: str) -> None:
    """Not one of them."""
    assert all(trace.has_content for trace in assemble_capture(source, encoding).values())
