"""Decodes a Kafka record by the format of its topic."""

from collections.abc import Iterable
from typing import Literal, get_args

from otel.native.langfuse import decode_langfuse
from otel.native.langsmith import decode_langsmith
from otel.native.mlflow import decode_mlflow
from otel.native.phoenix import decode_phoenix
from otel.native.traceloop import decode_traceloop
from otel.otlp import decode_otlp
from otel.signals import DecodedSignals

SignalFormat = Literal["otlp", "mlflow", "langsmith", "langfuse", "phoenix", "traceloop"]
SIGNAL_FORMATS: tuple[SignalFormat, ...] = get_args(SignalFormat)

Headers = Iterable[tuple[str, bytes | None]]


def decode_signals(signal_format: SignalFormat, value: bytes, headers: Headers) -> DecodedSignals:
    """Return the spans, logs and feedback of a record. Never raises for any bytes.

    ``headers`` say which call of the product's API a native body belongs to. A name may be
    repeated; its last value counts.
    """
    names = {name.lower(): raw.decode("utf-8", "replace") for name, raw in headers if raw}
    path = names.get("http.path", "")
    if signal_format == "otlp":
        return decode_otlp(value)
    if signal_format == "mlflow":
        return decode_mlflow(value)
    if signal_format == "langsmith":
        return decode_langsmith(value, path, names.get("content-type", ""))
    if signal_format == "langfuse":
        return decode_langfuse(value, path)
    if signal_format == "phoenix":
        return decode_phoenix(value)
    return decode_traceloop(value)
