"""Settings for labels: the policy, its calibration, the topic and the window."""

from pydantic import Field

from schemas.settings import SettingsGroup

LABELS_OFF = "off"
"""The policy under which the worker neither joins records nor writes labels."""


class LabelSettings(SettingsGroup):
    """The settings ``GOLDPAN_LABELS__...``."""

    policy: str = Field(
        default="chat_support",
        min_length=1,
        description="A preset (chat_support, rag, agent; `agent@2` for one version of it), the "
        "path of a label policy, or `off`: the worker writes no labels.",
    )
    calibration: str | None = Field(
        default=None,
        min_length=1,
        description="The calibration that labels are decided under: the number of a version in "
        "the lake, or the path of a file. Without it the policy's own priors count.",
    )
    topic: str | None = Field(
        default=None,
        min_length=1,
        description="A topic that label events are produced to as well, once they are in the "
        "lake: keyed by `trace_id`, each named by `label_event_id`.",
    )
    window_days: float | None = Field(
        default=None,
        gt=0,
        le=366,
        description="How long the worker waits for feedback on a trace, in days of event time; "
        "the policy's `window_days` if not set.",
    )

    @property
    def off(self) -> bool:
        """Return whether labels are off."""
        return self.policy == LABELS_OFF

    @property
    def calibration_version(self) -> int | None:
        """Return the version of the calibration in the lake; None if unset or a file."""
        text = self.calibration
        return int(text) if text is not None and text.isascii() and text.isdigit() else None
