"""Notices applications whose model calls are exported without any text, and says how to change it.

The instrumentations of OpenTelemetry export no texts unless this is switched on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel.model_calls import ModelCall

_OTEL: Final = (
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=span_only with "
    "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental"
)
CONTENT_SETTINGS: Final[Mapping[str, str]] = {
    "otel_messages": _OTEL,
    "otel_events": "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true, and a pipeline of the "
    "Collector for logs: the texts are in log records",
    "openinference": "OPENINFERENCE_HIDE_INPUTS=false and OPENINFERENCE_HIDE_OUTPUTS=false",
    "traceloop": "TRACELOOP_TRACE_CONTENT=true",
    "traceloop_old": "TRACELOOP_TRACE_CONTENT=true",
    "langfuse": "LANGFUSE_OBSERVE_DECORATOR_IO_CAPTURE_ENABLED=true",
    "langsmith": "LANGSMITH_HIDE_INPUTS=false and LANGSMITH_HIDE_OUTPUTS=false",
    "mlflow": "autologging of the library that calls the model, such as mlflow.openai.autolog()",
}
"""The setting of an application that exports the texts, by the name of its dialect."""

MOST_APPLICATIONS: Final = 1000
"""Names of applications are free text, so only so many are remembered."""


def has_content(calls: Sequence[ModelCall]) -> bool:
    """Return whether a model call has a text, of a message or of its output."""
    return any(
        any(message.content for message in (call.messages[0] if call.messages else ()))
        or (call.output is not None and bool(call.output[0].text or call.output[0].tool_calls))
        for call in calls
    )


def name_content_setting(dialects: Iterable[str]) -> str:
    """Return the settings that export texts, for the dialects of an application."""
    return "; ".join(
        dict.fromkeys(CONTENT_SETTINGS[name] for name in dialects if name in CONTENT_SETTINGS)
    )


@dataclass(frozen=True, slots=True)
class ContentObservation:
    """Whether the model calls of one trace have texts. ``app`` as in the row."""

    app: str
    dialects: tuple[str, ...]
    has_content: bool


@dataclass
class ContentWatch:
    """Finds the applications that export no text at all, each of them once.

    An application is reported after ``enough`` traces with model calls and without any text. One
    that has shown a text before is not: a single trace may have none for a good reason.
    """

    enough: int = 5
    _without: dict[str, int] = field(default_factory=dict)
    _settled: set[str] = field(default_factory=set)

    def observe(self, observation: ContentObservation) -> str | None:
        """Return what to switch on, if the application is to be reported now."""
        app = observation.app
        is_new = app not in self._without and app not in self._settled
        if is_new and len(self._without) + len(self._settled) >= MOST_APPLICATIONS:
            return None
        if app in self._settled:
            return None
        if observation.has_content:
            self._without.pop(app, None)
            self._settled.add(app)
            return None
        self._without[app] = self._without.get(app, 0) + 1
        if self._without[app] < self.enough:
            return None
        del self._without[app]
        self._settled.add(app)
        return name_content_setting(observation.dialects)
