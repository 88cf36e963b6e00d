"""Settings of releases: the key that signs them."""

from pathlib import Path

from pydantic import Field, SecretStr

from schemas.settings import SettingsGroup


class ReleaseSettings(SettingsGroup):
    """What ``GOLDPAN_RELEASE__...`` sets."""

    signing_key: SecretStr | None = Field(
        default=None,
        description="The publisher's own key, which signs what `goldpan release build` publishes: "
        "base64 of 32 bytes, the seed of an Ed25519 key. Without it releases are not signed.",
    )
    signing_key_file: Path | None = Field(
        default=None, description="A file that holds the signing key instead."
    )
    signing_key_id: str = Field(
        default="p1",
        pattern=r"^[A-Za-z0-9_-]{1,16}$",
        description="The name of the signing key; each key needs a name of its own.",
    )
