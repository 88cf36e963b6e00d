"""Messages of many SDKs become messages of the contract."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel.chat_messages import ToolRequest, read_messages, read_output

CALL = ToolRequest("c-1", "look_up", '{"id": 7}')
OPENAI_CALL = {"id": "c-1", "type": "function",
               "function": {"name": "look_up", "arguments": '{"id": 7}'}}  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        [{"role": "user", "content": "hello"}],
        {"messages": [{"role": "user", "content": "hello"}], "model": "m"},
        json.dumps({"messages": [{"role": "user", "content": "hello"}]}),
        [[{"role": "human", "content": "hello"}]],
        [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        [{"role": "user", "parts": [{"type": "text", "content": "hello"}]}],
        [{"role": "user", "parts": [{"text": "hello"}]}],
        [{"message": {"role": "user", "contents": [
            {"message_content": {"type": "text", "text": "hello"}}]}}],
        [{"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"],
          "kwargs": {"content": "hello", "type": "human"}}],
        [{"type": "human", "data": {"content": "hello"}}],
        {"input": "hello"},
        "hello",
    ],
)  # fmt: skip
def test_a_message_of_the_user_in_each_shape(value: Any) -> None:
    """OpenAI, OTel, Gemini, OpenInference, LangChain, and plain text."""
    assert [(m.role, m.content) for m in read_messages(value)] == [("user", "hello")]


@pytest.mark.parametrize(
    "value",
    [
        {"choices": [{"message": {"role": "assistant", "content": None,
                                  "tool_calls": [OPENAI_CALL]}}]},
        [{"role": "assistant", "parts": [
            {"type": "tool_call", "id": "c-1", "name": "look_up", "arguments": {"id": 7}}]}],
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "c-1", "name": "look_up", "input": {"id": 7}}]},
        {"output": [{"type": "function_call", "call_id": "c-1", "name": "look_up",
                     "arguments": '{"id": 7}'}]},
        {"generations": [[{"text": "", "message": {"kwargs": {"content": "", "tool_calls": [
            {"id": "c-1", "name": "look_up", "args": {"id": 7}}]}}}]]},
        [{"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c-1", "function": {
            "name": "look_up", "arguments": '{"id"'}}]}}]},
         {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {
             "arguments": ": 7}"}}]}}]}],
    ],
)  # fmt: skip
def test_a_call_of_a_tool_in_each_shape(value: Any) -> None:
    """OpenAI's two APIs, OTel, Anthropic, LangChain, and the chunks of a stream."""
    output = read_output(value)
    assert output is not None
    assert output.tool_calls == (CALL,)


@pytest.mark.parametrize(
    ("value", "finish"),
    [
        ({"choices": [{"index": 1, "message": {"content": "no"}},
                      {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]},
         "stop"),
        ([{"role": "assistant", "parts": [{"type": "text", "content": "hi"}],
           "finish_reason": "length"}], "length"),
        ({"role": "assistant", "content": [{"type": "text", "text": "hi"}],
          "stop_reason": "end_turn"}, "end_turn"),
        ({"output": [{"type": "message", "role": "assistant",
                      "content": [{"type": "output_text", "text": "hi"}]}]}, None),
        ({"generations": [[{"text": "hi", "generation_info": {"finish_reason": "stop"}}]]},
         "stop"),
        ([{"choices": [{"delta": {"content": "h"}}]},
          {"choices": [{"delta": {"content": "i"}, "finish_reason": "stop"}]}], "stop"),
        ({"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]},
                          "finishReason": "STOP"}]}, "STOP"),
        ("hi", None),
    ],
)  # fmt: skip
def test_an_answer_in_each_shape(value: Any, finish: str | None) -> None:
    """Only the first of several choices is the answer."""
    output = read_output(value)
    assert output is not None
    assert (output.text, output.finish_reason) == ("hi", finish)


def test_the_result_of_a_tool_keeps_the_id_of_its_call() -> None:
    """Also where it is a part of a user's message, as Anthropic sends it."""
    value = [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c-1", "content": [{"type": "text", "text": "r"}]},
        {"type": "text", "text": "and?"}]}]  # fmt: skip
    tool, user = read_messages(value)
    assert (tool.role, tool.tool_call_id, tool.content) == ("tool", "c-1", "r")
    assert (user.role, user.content) == ("user", "and?")


def test_an_image_leaves_the_text_beside_it() -> None:
    """A message whose parts were lost has no content."""
    parts = [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "this?"}]
    assert read_messages([{"role": "user", "content": parts}])[0].content == "this?"
    assert read_messages([{"role": "user", "parts": []}])[0].content is None


KEYS = st.sampled_from(
    ["role", "content", "parts", "contents", "message", "kwargs", "data", "type", "text", "id",
     "tool_calls", "function", "name", "arguments", "choices", "index", "delta", "generations",
     "output", "messages", "input", "candidates", "finish_reason", "generation_info"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["tool", "ai", "text", "{", "[1]"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=400)
@given(VALUES)
def test_any_value_is_read_without_a_crash(value: Any) -> None:
    """Whatever stands where: the messages are text, and their calls have names."""
    output = read_output(value)
    for message in read_messages(value):
        assert message.content is None or isinstance(message.content, str)
        assert all(call.name for call in message.tool_calls)
    assert output is None or output.text is None or isinstance(output.text, str)
