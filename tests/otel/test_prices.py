"""A cost that nothing exported is computed from the price table, and marked; nothing is guessed."""

from typing import Any

import pytest

from otel.assembly import assemble_trace
from otel.assembly_rules import AssemblyRules, read_own_prices
from otel.price_table import PriceTable, read_price_table
from otel.signals import OtelSpan
from otel.span_view import SpanView
from schemas.errors import UsageError
from tests.otel.captures import CAPTURES, read_traces
from tests.otel.make_spans import TRACE, chat, span

TABLE = """
version: "2026-01-01"
providers:
  - name: openai
    source: https://example.com/prices
    models:
      gpt-x: {input: 1, output: 2}
      gpt-y: {input: 1, cached_input: 0.25, output: 2}
      gpt-x-mini: {input: 0.5, output: 1, up_to_input_tokens: 1000}
  - name: hosted
    also: [hosted.ai]
    source: https://example.com/hosted
    models:
      gpt-x: {input: 9, output: 9}
      open-y: {input: 3, output: 3}
"""


def table() -> PriceTable:
    """Return a small price table."""
    return read_price_table(TABLE, "test")


def priced(number: int, tokens: tuple[int, int] | None = (1000, 500), **more: Any) -> OtelSpan:
    """Return a model call with tokens."""
    usage = {} if tokens is None else {
        "gen_ai.usage.input_tokens": tokens[0], "gen_ai.usage.output_tokens": tokens[1]
    }  # fmt: skip
    return chat(number, 1, attributes=usage | more.pop("attributes", {}), **more)


def cost_of(*spans: OtelSpan) -> tuple[float | None, bool | None, tuple[str, ...]]:
    """Return the cost of a trace, whether it was computed, and what is missing."""
    trace = assemble_trace(TRACE, [span(1), *spans], rules=AssemblyRules(prices=table()))
    assert trace.row is not None
    cost = trace.row["cost_usd"]
    return cost and round(cost, 9), trace.cost_computed, trace.incomplete


def test_the_cost_is_that_of_all_calls_that_answered() -> None:
    """By the tokens of each; a call that failed costs nothing."""
    failed = priced(4, failed="busy", answer="")
    assert cost_of(priced(2), priced(3), failed, priced(5)) == (0.006, True, ())


@pytest.mark.parametrize(
    ("cached", "cost"), [(None, 0.002), (0, 0.002), (800, 0.0014), (5000, 0.00125)]
)
def test_cached_input_has_a_price_of_its_own(cached: int | None, cost: float) -> None:
    """Where the span says how much was cached, and the table has a price for it."""
    said = {"gen_ai.request.model": "gpt-y"}
    said |= {} if cached is None else {"gen_ai.usage.cache_read.input_tokens": cached}  # type: ignore[dict-item]  # a number
    assert cost_of(priced(2, attributes=said)) == (cost, True, ())
    said["gen_ai.request.model"] = "gpt-x"
    assert cost_of(priced(2, attributes=said)) == (0.002, True, ())


@pytest.mark.parametrize(
    ("source", "encoding"),
    [(s, e) for s, e in CAPTURES if s.startswith(("openinf", "mlflow", "langsmith"))],
)
def test_cached_tokens_of_the_captures_are_read(source: str, encoding: str) -> None:
    """Each product that exports them has a place for them in its dialect."""
    spans = [one for trace in read_traces(source, encoding).values() for one in trace.spans]
    read = [SpanView(one).read_number("cached_tokens") for one in spans]
    assert sum(reading is not None and reading.value > 0 for reading in read) > 5


def test_an_exported_cost_wins() -> None:
    """Where one call exports it and another one does not, the sum is marked as computed."""
    said = {"langfuse.observation.type": "generation", "langfuse.observation.cost_details":
            '{"total": 0.25}', "langfuse.observation.input": "hello",
            "langfuse.observation.output": "hi"}  # fmt: skip
    exported = span(2, 1, attributes=said)
    assert cost_of(exported) == (0.25, False, ())
    cost, computed, _ = cost_of(exported, priced(3))
    assert (cost, computed) == (0.252, True)


def test_an_unknown_model_has_no_cost() -> None:
    """Beside a known one the sum is marked as incomplete."""
    unknown = priced(2, attributes={"gen_ai.request.model": "gpt-z"})
    assert cost_of(unknown) == (None, None, ())
    assert cost_of(priced(3), unknown) == (0.002, True, ("cost_missing",))
    assert cost_of(priced(2, None)) == (None, None, ())


@pytest.mark.parametrize(
    ("provider", "model", "price"),
    [
        ("openai", "gpt-x", 1),
        ("OpenAI", "GPT-X-2026-01-31", 1),
        ("openai", "openai/gpt-x", 1),
        ("openai", "gpt-x-latest", 1),
        ("openai", "gpt-x-0613", 1),
        ("openai", "gpt-x-mini-2026-01-31", 0.5),
        ("openai", "gpt-x-audio", None),
        ("openai", "gpt-x-2", None),
        ("openai", "gpt-xy", None),
        ("openai", "gpt-x-mini-audio", None),
        ("hosted.ai", "gpt-x", 9),
        ("another", "gpt-x", None),
        (None, "gpt-x", None),
        (None, "gpt-x-mini", 0.5),
        (None, "hosted/open-y", 3),
    ],
)
def test_a_price_is_found_by_provider_and_longest_name(
    provider: str | None, model: str, price: float | None
) -> None:
    """What follows the name may be a date or a version, and no other model's name."""
    found = table().find(provider, model)
    assert (found.input if found is not None else None) == price


def test_a_longer_context_than_the_price_is_for_has_no_cost() -> None:
    """Its price is higher."""
    mini = {"gen_ai.request.model": "gpt-x-mini"}
    assert cost_of(priced(2, (1000, 0), attributes=mini))[0] == pytest.approx(0.0005)
    assert cost_of(priced(2, (1001, 0), attributes=mini))[0] is None


def test_goldpan_brings_prices_of_the_providers_with_their_sources() -> None:
    """Each with a page; all calls of the captures have a price."""
    prices = read_own_prices()
    names = {provider.name for provider in prices.providers}
    assert {"openai", "anthropic", "google", "mistral", "cohere", "deepseek", "azure"} <= names
    assert all(provider.source.startswith("https://") for provider in prices.providers)
    assert sum(len(provider.models) for provider in prices.providers) > 150
    rules = AssemblyRules(prices=prices)
    for source, encoding in CAPTURES:
        for trace_id, signals in list(read_traces(source, encoding).items())[:15]:
            trace = assemble_trace(trace_id, signals.spans, signals.logs, rules)
            if trace.row is not None and trace.row["input_tokens"] is not None:
                assert trace.row["cost_usd"] is not None
                assert trace.cost_computed is not None
            assert trace.mapping == rules.mapping


def test_rows_of_other_prices_have_another_mapping() -> None:
    """So that a check never compares rows that follow from different rules."""
    cheaper = read_price_table(TABLE.replace("input: 1,", "input: 0.9,"), "test")
    mappings = {AssemblyRules().mapping, AssemblyRules(prices=table()).mapping,
                AssemblyRules(prices=cheaper).mapping}  # fmt: skip
    assert len(mappings) == 3


@pytest.mark.parametrize(
    "text",
    ["providers: []", TABLE.replace("input: 1,", "input: -1,"), TABLE.replace("source:", "src:"),
     "- a", TABLE.replace("0.5", "half")],
)  # fmt: skip
def test_a_file_that_is_no_price_table_is_refused(text: str) -> None:
    """With the line."""
    with pytest.raises(UsageError, match="prices\\.yaml"):
        read_price_table(text, "prices.yaml")
