"""What a real OpenTelemetry SDK sends through a real Collector and Kafka becomes rows of traces.

The Collector is built from its sources, which takes minutes of two cores: `make chaos` runs this.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode

from tests.docs.pages import code_blocks
from tests.lake.kit import open_lake
from tests.otel.make_spans import messages
from tests.partners.environment import Partners
from tests.servers.fixtures import StartWorker
from tests.servers.kafka import Kafka, unique
from tests.servers.otel_collector import OtelCollector
from tests.servers.worker import settings

StartCollector = Callable[[str], OtelCollector]
TURNS = 12


def page_config() -> str:
    """Return the configuration that docs/otel.md shows."""
    (block,) = [b for b in code_blocks("docs/otel.md") if b.language == "yaml"]
    return block.text


def without_keys(config: str) -> str:
    """Return the configuration as the page says for records without a key."""
    return "".join(line for line in config.splitlines(keepends=True) if "partition_" not in line)


def of_topics(config: str, kafka: Kafka, spans: str, logs: str) -> str:
    """Return the configuration for a broker and for topics of this test."""
    config = config.replace("localhost:9092", kafka.bootstrap)
    return config.replace("otlp_spans", spans).replace("otlp_logs", logs)


@pytest.mark.chaos
def test_the_configuration_of_the_page_is_valid(collector_parts: Path, tmp_path: Path) -> None:
    """Keyed and unkeyed, to the Collector itself."""
    for config in (page_config(), without_keys(page_config())):
        file = tmp_path / "collector.yaml"
        file.write_text(config, encoding="utf-8")
        done = subprocess.run(
            [collector_parts, "validate", "--config", file], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_configuration_of_the_page_can_be_parsed() -> None:
    """Both signals go to the topics that the page names as sources."""
    config = yaml.safe_load(page_config())
    exporter = config["exporters"]["kafka"]
    assert {exporter[s]["topic"] for s in ("traces", "logs")} == {"otlp_spans", "otlp_logs"}
    assert config["service"]["pipelines"].keys() == {"traces", "logs"}
    assert exporter["partition_traces_by_id"] is True


def send(endpoint: str) -> None:
    """Send turns of an application: a root, a model call, a tool, a failed call."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": "shop", "service.version": "7"}),
        span_limits=SpanLimits(max_span_attribute_length=4000),
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=7))
    tracer = provider.get_tracer("shop.assistant")
    for number in range(TURNS):
        with tracer.start_as_current_span("POST /chat") as root:
            root.set_attribute("session.id", f"s-{number}")
            with tracer.start_as_current_span("chat gpt-4o-mini") as call:
                call.set_attributes(_call(f"question {number}", f"answer {number}"))
                if number % 4 == 3:
                    call.record_exception(ConnectionError("no route"))
                    call.set_status(Status(StatusCode.ERROR, "no route"))
            with tracer.start_as_current_span("execute_tool look_up") as tool:
                tool.set_attributes({"gen_ai.operation.name": "execute_tool",
                                     "gen_ai.tool.name": "look_up",
                                     "gen_ai.tool.call.arguments": '{"n": 1}',
                                     "gen_ai.tool.call.result": "42"})  # fmt: skip
        with tracer.start_as_current_span("GET /healthz"):
            pass
    provider.shutdown()


def _call(said: str, answer: str) -> dict[str, Any]:
    return {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 500, "gen_ai.input.messages": messages(("user", said)),
        "gen_ai.output.messages": messages(("assistant", answer)),
    }  # fmt: skip


def catch_up(
    kafka: Kafka, folder: Path, start_worker: StartWorker, sources: dict[str, str]
) -> list[dict[str, Any]]:
    """Let a worker take in all topics; return the rows of traces."""
    env = settings(
        kafka, folder / "lake", kafka__sources=sources, kafka__group_id=unique("group"),
        assembly__quiet_seconds=0.3, assembly__idle_seconds=1.5, stream__flush_seconds=0.2,
    )  # fmt: skip
    start_worker(env, "--until-caught-up").finish()
    table = open_lake(folder).table("traces")
    table.refresh()
    rows: list[dict[str, Any]] = table.read(list(ROW)).to_pylist()
    return rows


ROW = ("trace_id", "session_id", "app", "app_version", "status", "error_type", "response",
       "messages", "tool_calls", "input_tokens", "cost_usd", "cost_computed", "latency_ms",
       "incomplete", "model_requested")  # fmt: skip


@pytest.mark.chaos
@pytest.mark.parametrize("keyed", [True, False])
def test_turns_of_an_application_become_rows(
    kafka: Kafka, start_collector: StartCollector, start_worker: StartWorker, tmp_path: Path,
    *, keyed: bool,
) -> None:  # fmt: skip
    """Every turn once, whole, whichever way the Collector divides the spans."""
    spans, logs = kafka.new_topic("otlp_spans", 3), kafka.new_topic("otlp_logs", 1)
    config = page_config() if keyed else without_keys(page_config())
    collector = start_collector(of_topics(config, kafka, spans, logs))
    send(collector.endpoint)
    collector.stop()
    rows = catch_up(kafka, tmp_path, start_worker, {spans: "otlp", logs: "otlp"})
    by_session = {row["session_id"]: row for row in rows}
    assert sorted(by_session) == sorted(f"s-{number}" for number in range(TURNS))
    assert len(rows) == TURNS
    for number in range(TURNS):
        row = by_session[f"s-{number}"]
        failed = number % 4 == 3
        assert (row["app"], row["app_version"]) == ("shop", "7")
        assert [m["content"] for m in row["messages"]] == [f"question {number}"]
        assert row["response"] == f"answer {number}"
        assert (row["status"], row["error_type"]) == (
            ("error", "ConnectionError") if failed else ("ok", None)
        )
        assert [tool["result"] for tool in row["tool_calls"]] == ["42"]
        assert row["latency_ms"] > 0
        assert not row["incomplete"]
        if not failed:
            assert (row["input_tokens"], row["cost_computed"]) == (1000, True)
            assert row["cost_usd"] == pytest.approx(1000 * 0.15e-6 + 500 * 0.6e-6)


@pytest.mark.chaos
@pytest.mark.parametrize("product", ["langfuse", "mlflow", "langsmith"])
def test_the_settings_of_a_products_page_send_its_traffic_here(
    kafka: Kafka, start_collector: StartCollector, start_worker: StartWorker, partners: Partners,
    tmp_path: Path, *, monkeypatch: pytest.MonkeyPatch, product: str,
) -> None:  # fmt: skip
    """A call that the product's own SDK traces arrives as a row, with its texts."""
    spans, logs = kafka.new_topic("otlp_spans", 2), kafka.new_topic("otlp_logs", 1)
    collector = start_collector(of_topics(page_config(), kafka, spans, logs))
    for name, value in page_settings(product):
        monkeypatch.setenv(name, value.replace("http://collector:4318", collector.endpoint))
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    partners.run(f"send_{product}.py", cwd=tmp_path)
    collector.stop()
    (row,) = catch_up(kafka, tmp_path, start_worker, {spans: "otlp"})
    assert [m["content"] for m in row["messages"]] == ["Where is my parcel?"]
    assert (row["response"], row["status"]) == ("It arrives tomorrow.", "ok")


NEEDED = {
    "LANGFUSE_PUBLIC_KEY": "pk-lf-1",
    "LANGFUSE_SECRET_KEY": "sk-lf-1",
    "LANGSMITH_TRACING": "true",
    "LANGSMITH_API_KEY": "ls-1",
}
"""What the SDKs want beside the settings of the pages."""


def page_settings(product: str) -> list[tuple[str, str]]:
    """Return the settings that the first block of a product's page exports."""
    block = code_blocks(f"docs/otel/{product}.md")[0].text
    lines = (line.removeprefix("export ") for line in block.splitlines())
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]
