"""Settings of the assembly stage: how long a trace waits, and how long it is remembered."""

from pydantic import Field

from otel.open_traces import AssemblyTerms
from schemas.settings import SettingsGroup


class AssemblySettings(SettingsGroup):
    """When the spans of a trace are assembled to a row of `traces`."""

    quiet_seconds: float = Field(
        default=5.0,
        ge=0,
        description="A trace whose root has ended is assembled after this time without a new span.",
    )
    idle_seconds: float = Field(
        default=300.0,
        ge=0,
        description="A trace without an ended root is assembled after this time without a new "
        "span, and at the latest after ten times as long.",
    )
    term_seconds: float = Field(
        default=3600.0,
        ge=0,
        description="The worker remembers an assembled trace for this time after its last span, "
        "and takes in what comes later. `goldpan otel reconcile` takes in the rest.",
    )

    def terms(self) -> AssemblyTerms:
        """Return the waits in microseconds."""
        seconds = (self.quiet_seconds, self.idle_seconds, self.term_seconds)
        return AssemblyTerms(*(round(1_000_000 * each) for each in seconds))
