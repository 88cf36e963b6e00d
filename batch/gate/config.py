"""Settings of candidates that goldpan runs: their server, how many calls, and what they cost."""

from pathlib import Path

from pydantic import Field

from batch.judge.config import HostList
from schemas.settings import SettingsGroup


class CandidateSettings(SettingsGroup):
    """What ``GOLDPAN_CANDIDATE__...`` sets."""

    url: str | None = Field(
        default=None,
        min_length=1,
        description="Address of the server that runs candidates, such as "
        "`https://api.example.com/v1`.",
    )
    key_file: Path | None = Field(
        default=None, description="A file that holds the key of the server."
    )
    allowed_hosts: HostList = Field(
        default=(),
        description="Hosts that rows of a release may be sent to, with commas between: "
        "`api.example.com` by https, `http://models.internal:8000` by plain http. This machine "
        "needs no entry.",
    )
    concurrency: int = Field(default=8, ge=1, le=256, description="Calls at a time.")
    timeout_seconds: float = Field(
        default=120.0, gt=0, le=3600, description="How long one call may take."
    )
    tries: int = Field(
        default=5, ge=1, le=20, description="Calls for one answer after 429, 5xx or no connection."
    )
    budget_usd: float | None = Field(
        default=None,
        ge=0,
        description="What the runs for one file of outputs may cost together. Rows that are left "
        "then are errors with reason `budget`.",
    )
