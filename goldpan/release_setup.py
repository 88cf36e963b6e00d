"""Opens, builds and verifies releases according to the settings."""

from collections.abc import Sequence
from copy import deepcopy
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from batch.progress import ReportStep
from batch.release.format.files import DATA
from batch.release.format.reader import read_release_rows
from batch.release.publish.build import BuildOptions
from batch.release.publish.reference import parse_reference
from batch.release.publish.repository import ReleaseRepository, ReleaseVersion
from batch.release.publish.signatures import signer_from_key
from batch.release.publish.verify import ReleaseVerification, verify_release
from batch.release.sampling.expectations import (
    Expectations,
    read_expected_calls,
    read_expected_documents,
)
from batch.release.sampling.spec import ReleaseSpec
from batch.release.sampling.synthetic_reader import SyntheticRowPipeline, read_synthetic_rows
from batch.release.sampling.synthetic_rows import SyntheticOffer
from goldpan import wiring
from goldpan.setting_names import variable_name
from goldpan.settings import Settings
from lake.key_checks import SIGNING_PURPOSE, KeyCheck, put_key_check
from lake.location import LakeLocation
from lake.retry import Retry
from lake.tables import Lake
from redact.crypto.keys import load_keys
from redact.crypto.signing import Signer
from schemas.errors import UsageError
from schemas.record_batches import DecodedBatch, RecordKind, batch_records
from schemas.records import ToolCall, Trace
from schemas.text_files import read_text_file

PUBLISHER_KEYS = ".keys/"
"""The folder next to the releases that records which key signs under which name."""

RELEASE_RETRY_SECONDS = 60.0
"""How long a step is retried while a person waits for it."""


def release_retry() -> Retry:
    """Return the retry policy for steps of release commands."""
    return wiring.make_retry(RELEASE_RETRY_SECONDS)


def open_releases(settings: Settings) -> ReleaseRepository:
    """Return the repository of releases: next to the tables, unless set elsewhere.

    Raises FatalError if the lake is older than its erasures (see `lake.erasure_copies`).
    """
    lake = settings.lake
    wiring.refuse_older_lake(settings)
    if lake.releases_uri is None:
        files = LakeLocation(lake.uri, lake.s3_endpoint_url).files("releases")
    else:
        files = LakeLocation(lake.releases_uri, lake.s3_endpoint_url).files("")
    return ReleaseRepository(files, release_retry())


def open_release(settings: Settings, reference: str) -> tuple[ReleaseVersion, pa.Table]:
    """Return a release and its rows, from ``NAME[@VERSION]``; UsageError if there is none."""
    releases = open_releases(settings)
    release = releases.find(parse_reference(reference))
    return release, read_release_rows(releases.read(release, DATA))


def make_build_context(settings: Settings, memory_mib: int, progress: ReportStep) -> BuildOptions:
    """Return the context of a build; UsageError without the redaction key of the lake."""
    key = load_keys(settings.redact).release
    wiring.refuse_other_keys(settings, Lake(settings.lake))
    return BuildOptions(
        key=key,
        memory_bytes=memory_mib * 2**20,
        code={"goldpan": metadata.version("goldpan")},
        progress=progress,
    )


def load_synthetic_rows(
    settings: Settings, spec: ReleaseSpec, folder: Path
) -> SyntheticOffer | None:
    """Return the synthetic rows of a spec, None if it has none; see `read_synthetic_rows`."""

    def without_erased(decoded: DecodedBatch[Any]) -> DecodedBatch[Any]:
        erasures = wiring.open_erasures(settings)
        wiring.make_retry().call("reading tombstones", erasures.reload)
        remaining, _ = erasures.kept_out.without(decoded)
        return remaining

    pipeline = SyntheticRowPipeline(
        decoder=wiring.make_decoder(settings, RecordKind.TRACE),
        load_redactor=lambda: wiring.load_redaction(settings.redact).redactor,
        without_erased=without_erased,
        now_us=wiring.now_us,
    )
    return read_synthetic_rows(spec, folder, pipeline)


def load_expectations(settings: Settings, spec: ReleaseSpec, folder: Path) -> list[Expectations]:
    """Return what the files of a spec say would have been right; see `read_expected_documents`."""

    def are_redacted(calls: Sequence[list[ToolCall]]) -> list[bool]:
        redactor, now = wiring.load_row_redactor(settings.redact), wiring.now_us()
        made = [
            Trace(trace_id="-", app="", started_at=now, status="ok", tool_calls=deepcopy(each))
            for each in calls
        ]
        batch = batch_records(RecordKind.TRACE, "#expected", made)
        outcome = redactor.redact_again(batch, ingested_at=now)
        rejected = {each.raw.offset for each in outcome.rejected}
        return [
            at not in rejected and trace.tool_calls == each
            for at, (trace, each) in enumerate(zip(made, calls, strict=True))
        ]

    said = (
        read_expected_documents(spec, folder),
        read_expected_calls(spec, folder, are_redacted),
    )
    return [each for each in said if each is not None]


def load_publisher(settings: Settings) -> Signer | None:
    """Return the publisher's signing key, None if none is set; UsageError if it is invalid."""
    name, release = variable_name(("release", "signing_key")), settings.release
    if release.signing_key is not None:
        return signer_from_key(name, release.signing_key.get_secret_value())
    if release.signing_key_file is None:
        return None
    file = release.signing_key_file
    text = read_text_file(file, f"The file {file} of {name}_FILE")
    return signer_from_key(f"The key in the file {file} of {name}_FILE", text)


def refuse_other_publisher(
    settings: Settings, repository: ReleaseRepository, publisher: Signer
) -> None:
    """Raise UsageError if releases were signed under the same name with another key."""
    name = settings.release.signing_key_id
    check = KeyCheck(SIGNING_PURPOSE, name, publisher.public)
    if not release_retry().call(
        "reading the publishers' keys",
        lambda: put_key_check(repository.files, check, PUBLISHER_KEYS),
    ):
        variable_of_key = variable_name(("release", "signing_key"))
        raise UsageError(
            f"{variable_of_key} differs from the key with the id {name} that signed these "
            f"releases: set the correct key. For a new key, set a new id with {variable_of_key}_ID."
        )


def verify_version(
    repository: ReleaseRepository,
    version: ReleaseVersion,
    expected: str | None = None,
    signer: str | None = None,
    publisher: str | None = None,
) -> ReleaseVerification:
    """Verify a published version against its digest, or against the ``expected`` one.

    ``signer`` and ``publisher`` are the public keys that must have signed its erasures and the
    release, if given.
    """
    pinned = version.digest if expected is None else expected
    return release_retry().call(
        f"verifying {version.name}@{version.version}",
        lambda: verify_release(repository.files, f"{version.folder}/", pinned, signer, publisher),
    )
