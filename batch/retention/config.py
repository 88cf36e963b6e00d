"""Settings of retention: the plan, and the limit of one run."""

from pydantic import Field

from schemas.settings import SettingsGroup


class RetentionSettings(SettingsGroup):
    """The settings ``GOLDPAN_RETENTION__...``."""

    plan: str | None = Field(
        default=None,
        min_length=1,
        description="The path of a retention plan (YAML): for how many days each table keeps its "
        "rows, and the values in them. Without it nothing expires.",
    )
    at_most: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="The share of a table's rows that a run may remove, or remove values from. A "
        "run that exceeds it, and removes far more than the last runs did, stops until it is "
        "confirmed.",
    )
