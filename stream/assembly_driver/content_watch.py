"""Notices applications that export no content at all, which is the default of OpenTelemetry.

Their rows have no messages and no answers, and nothing can be labelled or released from them. One
setting of the application changes that.
"""

from dataclasses import dataclass, field
from typing import Final

from otel.assembly import AssembledTrace

ENOUGH_TRACES: Final = 10
"""So many traces without content, and none with any, before it is said."""
MAX_APPS: Final = 1_000

_SETTINGS: Final = (
    ("openinference", "OPENINFERENCE_HIDE_INPUTS=false and OPENINFERENCE_HIDE_OUTPUTS=false"),
    ("traceloop", "TRACELOOP_TRACE_CONTENT=true"),
    ("langsmith", "LANGSMITH_HIDE_INPUTS=false and LANGSMITH_HIDE_OUTPUTS=false"),
    ("otel", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=true"),
)
_ANY: Final = "the setting of its instrumentation that captures the content of messages"


@dataclass(slots=True)
class _App:
    without: int = 0
    settled: bool = False
    setting: str = _ANY


@dataclass
class ContentWatch:
    """Counts, for each application, traces with a model call but without any text."""

    enough: int = ENOUGH_TRACES
    _apps: dict[str, _App] = field(default_factory=dict)

    def add(self, trace: AssembledTrace) -> tuple[str, str] | None:
        """Take a trace in; return its application and the setting to change, once, if it is time.

        An application that has shown any content is not named later.
        """
        if trace.row is None or "model_calls_missing" in trace.incomplete:
            return None
        name = str(trace.row["app"])
        app = self._apps.get(name)
        if app is None:
            if len(self._apps) >= MAX_APPS:
                return None
            app = self._apps[name] = _App()
        if has_content(trace):
            app.settled = True
        if app.settled:
            return None
        app.without, app.setting = app.without + 1, _setting(trace)
        return self._name(name, app) if app.without >= self.enough else None

    def conclude(self) -> list[tuple[str, str]]:
        """Return the applications that have shown no content so far and were not named yet."""
        return [
            self._name(name, app)
            for name, app in self._apps.items()
            if app.without and not app.settled
        ]

    @staticmethod
    def _name(name: str, app: _App) -> tuple[str, str]:
        app.settled = True
        return name, app.setting


def has_content(trace: AssembledTrace) -> bool:
    """Return whether a row holds any text of the conversation."""
    if trace.row is None:
        return False
    return bool(trace.row["response"]) or any(m["content"] for m in trace.row["messages"])


def _setting(trace: AssembledTrace) -> str:
    for beginning, setting in _SETTINGS:
        if any(dialect.startswith(beginning) for dialect in trace.dialects):
            return setting
    return _ANY
