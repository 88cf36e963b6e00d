"""Puts together what the commands about releases need out of the settings."""

from importlib.metadata import version

from batch.release.build import Means, Progress
from batch.release.publisher import signer
from batch.release.shelf import Shelf, Standing
from batch.release.verify import Verdict, verify
from goldpan import wiring
from goldpan.setting_names import variable
from goldpan.settings import Settings
from lake.keys import SIGNING, KeyCheck, put
from lake.location import Location
from lake.retry import Retry
from lake.tables import Lake
from redact.keys import load_keys
from redact.signing import Signer
from schemas.errors import UsageError
from schemas.own_files import read_text

KEYS = ".keys/"
"""The folder beside the releases that says which key signs under which name."""

PATIENCE_SECONDS = 60.0
"""How long a step that a person waits for is tried again."""


def patience() -> Retry:
    """Return how a step that fails in passing is tried again."""
    return wiring.retry(PATIENCE_SECONDS)


def shelf(settings: Settings) -> Shelf:
    """Return the shelf of releases: beside the tables, unless it is set elsewhere.

    Raises FatalError if the lake is older than erasures that were made (`lake.copies`).
    """
    lake = settings.lake
    wiring.refuse_older_lake(settings)
    if lake.releases_uri is None:
        files = Location(lake.uri, lake.s3_endpoint_url).files("releases")
    else:
        files = Location(lake.releases_uri, lake.s3_endpoint_url).files("")
    return Shelf(files, patience())


def means(settings: Settings, memory_mib: int, progress: Progress) -> Means:
    """Return what a build needs; UsageError without the redaction key of the lake."""
    key = load_keys(settings.redact).release
    wiring.refuse_other_keys(settings, Lake(settings.lake))
    return Means(
        key=key,
        memory_bytes=memory_mib * 2**20,
        code={"goldpan": version("goldpan")},
        progress=progress,
    )


def publisher(settings: Settings) -> Signer | None:
    """Return who signs what is published, None if nobody; UsageError for a key that is none."""
    name, release = variable(("release", "signing_key")), settings.release
    if release.signing_key is not None:
        return signer(name, release.signing_key.get_secret_value())
    if release.signing_key_file is None:
        return None
    file = release.signing_key_file
    text = read_text(file, f"The file {file} of {name}_FILE")
    return signer(f"The key in the file {file} of {name}_FILE", text)


def refuse_other_publisher(settings: Settings, shelf: Shelf, publisher: Signer) -> None:
    """Raise UsageError if another key has signed releases under the same name."""
    name = settings.release.signing_key_id
    one = KeyCheck(SIGNING, name, publisher.public)
    if not patience().call("looking at the publishers' keys", lambda: put(shelf.files, one, KEYS)):
        variable_of_key = variable(("release", "signing_key"))
        raise UsageError(
            f"{variable_of_key} is another key than the one that these releases have of the name "
            f"{name}: set the right one, or, if it is new, give it a name of its own with "
            f"{variable_of_key}_ID."
        )


def verified(
    shelf: Shelf,
    one: Standing,
    expected: str | None = None,
    signer: str | None = None,
    publisher: str | None = None,
) -> Verdict:
    """Return the verdict on a version on the shelf, by its own digest or the one that was pinned.

    ``signer`` and ``publisher`` are the public keys that erasures and the release must be signed
    with, if any.
    """
    pinned = one.digest if expected is None else expected
    return patience().call(
        f"verifying {one.name}@{one.version}",
        lambda: verify(shelf.files, f"{one.folder}/", pinned, signer, publisher),
    )
