"""Exports spans to an OpenTelemetry collector, by OTLP over HTTP (OTLP specification 1.7).

Needs the extra ``tracing``. An error in a span is recorded by its type alone: its text may be
another library's and quote a record.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Status, StatusCode

from stream.tracing import SpanAttribute, Tracer

_PATIENCE_SECONDS: Final = 2


class OtlpSpans:
    """Sends spans in the background; those that the collector does not accept are dropped."""

    def __init__(self, endpoint: str, ratio: float) -> None:
        self._provider = TracerProvider(
            resource=Resource.create(
                {"service.name": "goldpan", "service.version": version("goldpan")}
            ),
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_PATIENCE_SECONDS)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, export_timeout_millis=1000 * _PATIENCE_SECONDS)
        )
        self._tracer = self._provider.get_tracer("goldpan")

    @contextmanager
    def span(self, name: str, /, **attributes: SpanAttribute) -> Iterator[None]:
        """Run the block in a span."""
        with self._tracer.start_as_current_span(
            name,
            attributes={
                f"goldpan.{key}": value() if callable(value) else value
                for key, value in attributes.items()
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def close(self) -> None:
        """Send the remaining spans."""
        self._provider.shutdown()


def connect(endpoint: str, ratio: float) -> Tracer:
    """Return spans sent to a collector, for a share ``ratio`` (0 to 1) of batches and flushes."""
    return OtlpSpans(endpoint, ratio)
