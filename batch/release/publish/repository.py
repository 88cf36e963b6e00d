"""The releases under one root, ``<root>/<name>/<version>/``; published completely, once.

Object stores cannot rename a folder, and two builders may run at the same time. So:

1. *claim*: ``<name>/claims/<n>`` is written with a conditional put. It holds the version and the
   digest of its manifest. The builder that wrote claim n owns the n-th release of that name.
2. *write*: the files are put into ``<name>/<version>/``, each only if it does not exist.
3. *publish*: ``SHA256SUMS`` is put last, only if it does not exist. It makes the version visible.

| event | result |
|---|---|
| two builders claim at once | one gets the claim; the other gets an error and has written nothing |
| the builder dies before 3 | nobody sees the version; the same build, run again, has the same digest, finds its own claim and continues |
| the builder never returns | `--take-over` writes an empty ``SHA256SUMS``, which marks the version as abandoned, and takes the next number; a late step 3 then fails |
| rows are erased during a build | the erasure puts a *fence* under ``.erasures/`` before it reads the claims, and the builder reads the fences after step 1. Either the erasure sees the claim, or the builder sees that it has read an old version of a table |
"""  # noqa: E501 - a table

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from batch.release.format.erasure_note import ErasureNote, read_erasure_note
from batch.release.format.files import CHECKSUMS, ERASURE_NOTE, MANIFEST, WITHDRAWAL, sha256
from batch.release.format.version import SemanticVersion
from batch.release.publish.reference import ReleaseReference
from lake.objects import ObjectStore
from lake.retry import Retry
from schemas.errors import FatalError, FencedError, UsageError

CLAIM_FOLDER: Final = "claims"
FENCE_FOLDER: Final = ".erasures"  # no name of a release begins with a dot
_FENCE: Final = re.compile(r"(\d+)-traces-(\d+)-labels-(\d+)")


class ReleaseClaimError(FencedError):
    """Another builder has claimed the version, or it was abandoned. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class ReleaseVersion:
    """A version that was claimed, by the ``claim`` -th builder of its name.

    ``digest`` is the SHA-256 of its manifest, as hex digits. ``erased`` says that rows of it were
    erased, or that an erasure of some has begun.
    """

    name: str
    claim: int
    version: SemanticVersion
    digest: str
    published: bool
    abandoned: bool
    withdrawn: bool
    erased: bool = False

    @property
    def state(self) -> str:
        """Return its state in one word."""
        if self.withdrawn:
            return "withdrawn"
        if self.published:
            return "published"
        return "abandoned" if self.abandoned else "begun"

    @property
    def folder(self) -> str:
        """Return the folder of its files."""
        return f"{self.name}/{self.version}"


class PublishFence(NamedTuple):
    """An erasure, by its tombstone, and the first version of each table without its rows.

    A build that has read an older version of one of them must not be published.
    """

    tombstone: int
    traces: int
    labels: int

    @property
    def path(self) -> str:
        """Return its path, which holds all of it."""
        return f"{FENCE_FOLDER}/{self.tombstone:06}-traces-{self.traces}-labels-{self.labels}"

    def covers(self, fence: "PublishFence") -> bool:
        """Return whether this fence rejects everything that another one rejects."""
        same = self.tombstone == fence.tombstone
        return same and self.traces >= fence.traces and self.labels >= fence.labels


class ReleaseRepository:
    """All releases under one root."""

    def __init__(self, files: ObjectStore, retry: Retry) -> None:
        self.files = files
        self._retry = retry

    def names(self) -> list[str]:
        """Return the names under which there are releases."""
        names = {path.split("/", 1)[0] for path, _ in self._walk("") if "/" in path}
        return sorted(name for name in names if not name.startswith("."))

    def versions(self, name: str) -> list[ReleaseVersion]:
        """Return every version of a name that was ever claimed, oldest first."""
        sizes = dict(self._walk(f"{name}/"))
        claims = sorted(path for path in sizes if path.startswith(f"{name}/{CLAIM_FOLDER}/"))
        return [self._version(name, path, sizes) for path in claims if not _is_debris(path)]

    def _version(self, name: str, path: str, sizes: Mapping[str, int]) -> ReleaseVersion:
        words = self.read_path(path).decode(errors="replace").split()
        try:
            version, digest = SemanticVersion.parse(words[0]), words[1].removeprefix("sha256:")
            claim = int(path.rpartition("/")[2])
        except (ValueError, IndexError):
            raise FatalError(f"releases/{path} is not a claim: something else wrote it") from None
        checksums = sizes.get(f"{name}/{version}/{CHECKSUMS}")
        withdrawn, erased = (
            f"{name}/{version}/{mark}" in sizes for mark in (WITHDRAWAL, ERASURE_NOTE)
        )
        return ReleaseVersion(
            name,
            claim,
            version,
            digest,
            published=bool(checksums),
            abandoned=checksums == 0,
            withdrawn=withdrawn,
            erased=erased,
        )

    def find(self, reference: ReleaseReference) -> ReleaseVersion:
        """Return the version that a reference means; a withdrawn one only if named exactly.

        Raises UsageError if there is none.
        """
        published = [r for r in self.versions(reference.name) if r.published]
        if not published:
            names = ", ".join(self.names()) or "none at all"
            raise UsageError(f"there is no release named {reference.name}; there are: {names}")
        matching = [release for release in published if _matches(release, reference.selector)]
        if not matching:
            versions = ", ".join(str(r.version) for r in published if not r.withdrawn) or "none"
            raise UsageError(
                f"{reference.name} has no version {reference.selector}; there are: {versions}"
            )
        return max(matching, key=lambda release: release.version)

    def read_path(self, path: str) -> bytes:
        """Return a file; RetryableError is retried here, FatalError is raised."""
        return self._retry.call(f"reading releases/{path}", lambda: self.files.get(path))

    def read(self, release: ReleaseVersion, file: str) -> bytes:
        """Return a file of a version."""
        return self.read_path(f"{release.folder}/{file}")

    def find_file(self, release: ReleaseVersion, file: str) -> bytes | None:
        """Return a file of a version, or None if it does not exist."""
        path = f"{release.folder}/{file}"
        return self._retry.call(f"reading releases/{path}", lambda: self.files.find(path))

    def erasure_note(self, release: ReleaseVersion) -> ErasureNote:
        """Return the erasure note of a version; see `parse_erasure_note`."""
        return parse_erasure_note(release, self.find_file(release, ERASURE_NOTE))

    def claim(
        self, name: str, claim: int, version: SemanticVersion, files: Mapping[str, bytes]
    ) -> ReleaseVersion:
        """Claim a version and return it; may be repeated with the same files.

        Raises ReleaseClaimError if another builder was first.
        """
        digest = sha256(files[MANIFEST])
        if not self.put_new(
            f"{name}/{CLAIM_FOLDER}/{claim:06}", f"{version} sha256:{digest}\n".encode()
        ):
            raise ReleaseClaimError(
                f"another builder has begun release {claim} of {name} and will publish it soon; if "
                "that builder is dead, build again with --take-over"
            )
        return ReleaseVersion(
            name, claim, version, digest, published=False, abandoned=False, withdrawn=False
        )

    def publish(self, release: ReleaseVersion, files: Mapping[str, bytes]) -> None:
        """Write the files of a claimed version and publish it; may be repeated.

        Raises ReleaseClaimError if it has been abandoned since.
        """
        for file in sorted(files.keys() - {CHECKSUMS}):
            if not self.put_new(f"{release.folder}/{file}", files[file]):
                if self.find_file(release, CHECKSUMS) == b"":
                    raise _abandoned_error(release)
                raise FatalError(
                    f"releases/{release.folder}/{file} exists with other content, although this "
                    "builder holds the claim: something else wrote it. Move it away and build again"
                )
        if not self.put_new(f"{release.folder}/{CHECKSUMS}", files[CHECKSUMS]):
            raise _abandoned_error(release)

    def abandon(self, release: ReleaseVersion) -> bool:
        """Mark a claimed version as never to be published; False if it is published by now."""
        return self.put_new(f"{release.folder}/{CHECKSUMS}", b"")

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a file if it does not exist; return whether it has this content now."""
        return self._retry.call(f"writing releases/{path}", lambda: self.files.put_new(path, data))

    def swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        """Replace the content that was read from a file (None: it did not exist).

        Returns whether its content is ``new`` now.
        """
        if old is None:
            return self.put_new(path, new)
        return self._retry.call(f"writing releases/{path}", lambda: self.files.swap(path, old, new))

    def fences(self) -> list[PublishFence]:
        """Return the fences of all erasures that have reached the releases."""
        names = [path.rpartition("/")[2] for path, _ in self._walk(f"{FENCE_FOLDER}/")]
        matches = [_FENCE.fullmatch(name) for name in names]
        return sorted(PublishFence(*map(int, match.groups())) for match in matches if match)

    def add_fence(self, fence: PublishFence) -> None:
        """Add a fence, unless an existing one covers it."""
        if not any(existing.covers(fence) for existing in self.fences()):
            self.put_new(fence.path, b"\n")

    def purge(self, matches: Callable[[str, bytes], bool]) -> None:
        """Remove unfinished uploads, and those older versions of objects whose content matches.

        Only buckets keep older versions. Several purges may run at once.
        """

        def remove_matches() -> None:
            self.files.drop_unfinished("")
            for hidden in self.files.hidden(""):
                if not hidden.marker and matches(hidden.path, self.files.get_hidden(hidden)):
                    self.files.remove_hidden(hidden)

        self._retry.call("purging the releases", remove_matches)

    def _walk(self, prefix: str) -> list[tuple[str, int]]:
        def list_all() -> list[tuple[str, int]]:
            return list(self.files.walk(prefix))

        return self._retry.call("listing the releases", list_all)


def parse_erasure_note(release: ReleaseVersion, data: bytes | None) -> ErasureNote:
    """Return the erasure note of a version, an empty one if it has none.

    Raises FatalError if it is damaged.
    """
    if data is None:
        return ErasureNote(release.name, str(release.version), release.digest)
    try:
        return read_erasure_note(data).note
    except ValueError as error:
        raise FatalError(
            f"releases/{release.folder}/{ERASURE_NOTE}: {error}. Restore the file, or remove the "
            "folder of that version"
        ) from None


def _abandoned_error(release: ReleaseVersion) -> ReleaseClaimError:
    return ReleaseClaimError(
        f"{release.name} {release.version} was abandoned, by a builder with --take-over or by an "
        "erasure: build again"
    )


def _is_debris(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


def _matches(release: ReleaseVersion, selector: str) -> bool:
    if selector.startswith("sha256:"):
        return release.digest.startswith(selector.removeprefix("sha256:"))
    if selector == "latest":
        return not release.withdrawn
    numbers = [int(part) for part in selector.split(".")]
    if list(release.version[: len(numbers)]) != numbers:
        return False
    return len(numbers) == 3 or not release.withdrawn


def latest_version(versions: Sequence[ReleaseVersion]) -> ReleaseVersion | None:
    """Return what ``@latest`` means: the highest published version that was not withdrawn."""
    in_force = [release for release in versions if release.published and not release.withdrawn]
    return max(in_force, key=_version_of, default=None)


def last_published_version(versions: Sequence[ReleaseVersion]) -> ReleaseVersion | None:
    """Return the highest published version, withdrawn or not."""
    return max((r for r in versions if r.published), key=_version_of, default=None)


def _version_of(release: ReleaseVersion) -> SemanticVersion:
    return release.version
