"""Where releases stand, ``<root>/<name>/<version>/``, and how one gets there: whole, once, for ever.

Object stores cannot rename a folder, and two builders may be at work. So:

1. *claim*: ``<name>/claims/<n>`` is written if it is not there (a conditional put), with the version
   and the digest of its manifest. The n-th release of a name is his whose claim this is.
2. *fill*: the files are written into ``<name>/<version>/``, each if it is not there.
3. *publish*: ``SHA256SUMS`` is written last, if it is not there. A version is there once this is.

| what happens | what is then |
|---|---|
| two builders claim at once | one has the claim; the other is told, and has written nothing |
| the builder dies before 3 | nobody sees the version; the same build, run again, has the same digest, finds its own claim, and goes on |
| it never comes back | `--take-over` writes an empty ``SHA256SUMS``, the mark of an abandoned version, and takes the next number; a late 3 then fails |
| somebody is erased meanwhile | a *fence* under ``.erasures/`` was there before the erasure looked at the claims: either it sees the builder's claim, or the builder, who looks at the fences after 1, sees that what it has read is too old |
"""  # noqa: E501 - a table

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from batch.release.format.files import CHECKSUMS, ERASURE_NOTE, MANIFEST, WITHDRAWAL, sha256
from batch.release.format.version import ReleaseReference, SemanticVersion
from lake.objects import ObjectStore
from lake.retry import Retry
from schemas.errors import FatalError, FencedError, UsageError

CLAIM_FOLDER: Final = "claims"
FENCE_FOLDER: Final = ".erasures"  # no name of a release begins with a dot
_FENCE: Final = re.compile(r"(\d+)-traces-(\d+)-labels-(\d+)")


class ReleaseClaimError(FencedError):
    """Another builder has this place. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class ReleaseVersion:
    """A version that has been claimed. ``digest`` is the SHA-256 of its manifest, as hex digits.

    ``erased`` says that rows of it were erased, or are about to be.
    """

    name: str
    number: int
    version: SemanticVersion
    digest: str
    published: bool
    abandoned: bool
    withdrawn: bool
    erased: bool = False

    @property
    def state(self) -> str:
        """Return how far it has come, in a word."""
        if self.withdrawn:
            return "withdrawn"
        if self.published:
            return "published"
        return "abandoned" if self.abandoned else "begun"

    @property
    def folder(self) -> str:
        """Return where its files are."""
        return f"{self.name}/{self.version}"


class PublishFence(NamedTuple):
    """An erasure, by the number of its tombstone, and the versions of the tables without its rows.

    Who has read an older version of one of them must not publish.
    """

    number: int
    traces: int
    labels: int

    @property
    def path(self) -> str:
        """Return where it is put; the name says all."""
        return f"{FENCE_FOLDER}/{self.number:06}-traces-{self.traces}-labels-{self.labels}"

    def covers(self, other: "PublishFence") -> bool:
        """Tell whether the other one refuses nothing that this one does not."""
        same = self.number == other.number
        return same and self.traces >= other.traces and self.labels >= other.labels


class ReleaseRepository:
    """All releases under one root."""

    def __init__(self, files: ObjectStore, retry: Retry) -> None:
        self.files = files
        self._retry = retry

    def names(self) -> list[str]:
        """Return the names of which there are releases."""
        found = {path.split("/", 1)[0] for path, _ in self._walk("") if "/" in path}
        return sorted(name for name in found if not name.startswith("."))

    def standing(self, name: str) -> list[ReleaseVersion]:
        """Return every version of a name that was ever claimed, oldest first."""
        sizes = dict(self._walk(f"{name}/"))
        claims = sorted(path for path in sizes if path.startswith(f"{name}/{CLAIM_FOLDER}/"))
        return [self._standing(name, path, sizes) for path in claims if not _is_debris(path)]

    def _standing(self, name: str, path: str, sizes: Mapping[str, int]) -> ReleaseVersion:
        told = self.get(path).decode(errors="replace").split()
        try:
            version, digest = SemanticVersion.parse(told[0]), told[1].removeprefix("sha256:")
            number = int(path.rpartition("/")[2])
        except (ValueError, IndexError):
            raise FatalError(f"releases/{path} is no claim: something else wrote it") from None
        done = sizes.get(f"{name}/{version}/{CHECKSUMS}")
        withdrawn, erased = (
            f"{name}/{version}/{mark}" in sizes for mark in (WITHDRAWAL, ERASURE_NOTE)
        )
        return ReleaseVersion(
            name, number, version, digest, bool(done), done == 0, withdrawn, erased
        )

    def find(self, asked: ReleaseReference) -> ReleaseVersion:
        """Return the version that a reference means; one that was withdrawn only if named exactly.

        Raises UsageError if there is none.
        """
        there = [s for s in self.standing(asked.name) if s.published]
        if not there:
            names = ", ".join(self.names()) or "none at all"
            raise UsageError(f"there is no release named {asked.name}; there are: {names}")
        fitting = [s for s in there if _fits(s, asked.which)]
        if not fitting:
            versions = ", ".join(str(s.version) for s in there if not s.withdrawn) or "none"
            raise UsageError(f"{asked.name} has no version {asked.which}; there are: {versions}")
        return max(fitting, key=lambda s: s.version)

    def get(self, path: str) -> bytes:
        """Return a file; RetryableError does not leave here, FatalError may."""
        return self._retry.call(f"reading releases/{path}", lambda: self.files.get(path))

    def read(self, one: ReleaseVersion, file: str) -> bytes:
        """Return a file of a version."""
        return self.get(f"{one.folder}/{file}")

    def find_file(self, one: ReleaseVersion, file: str) -> bytes | None:
        """Return a file of a version, or None if it is not there."""
        path = f"{one.folder}/{file}"
        return self._retry.call(f"reading releases/{path}", lambda: self.files.find(path))

    def claim(
        self, name: str, number: int, version: SemanticVersion, files: Mapping[str, bytes]
    ) -> ReleaseVersion:
        """Claim a version and return it; may be repeated with the same files.

        Raises TakenError if another builder was first.
        """
        digest = sha256(files[MANIFEST])
        if not self._put_new(
            f"{name}/{CLAIM_FOLDER}/{number:06}", f"{version} sha256:{digest}\n".encode()
        ):
            raise ReleaseClaimError(
                f"another builder has begun release {number} of {name}: it will be there soon; if "
                "that builder is dead, build again with --take-over"
            )
        return ReleaseVersion(name, number, version, digest, False, False, False)  # noqa: FBT003

    def fill(self, one: ReleaseVersion, files: Mapping[str, bytes]) -> None:
        """Write the files of a version that was claimed, and publish it; may be repeated.

        Raises TakenError if it was abandoned meanwhile.
        """
        for file in sorted(files.keys() - {CHECKSUMS}):
            if not self._put_new(f"{one.folder}/{file}", files[file]):
                if self.find_file(one, CHECKSUMS) == b"":
                    raise _abandoned(one)
                raise FatalError(
                    f"releases/{one.folder}/{file} is there with another content, though this "
                    "builder has the claim: something else wrote it; move it away and build again"
                )
        if not self._put_new(f"{one.folder}/{CHECKSUMS}", files[CHECKSUMS]):
            raise _abandoned(one)

    def abandon(self, one: ReleaseVersion) -> bool:
        """Mark a claimed version as one that will never be; False if it is there by now."""
        return self._put_new(f"{one.folder}/{CHECKSUMS}", b"")

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a file if it is not there; tell whether this content is there now."""
        return self._put_new(path, data)

    def swap(self, path: str, old: bytes | None, new: bytes) -> bool:
        """Write a file in the place of what was read of it (None: it was not there).

        Returns whether ``new`` is there now.
        """
        if old is None:
            return self._put_new(path, new)
        return self._retry.call(f"writing releases/{path}", lambda: self.files.swap(path, old, new))

    def fences(self) -> list[PublishFence]:
        """Return the fences of all erasures that have come as far as the releases."""
        names = [path.rpartition("/")[2] for path, _ in self._walk(f"{FENCE_FOLDER}/")]
        found = [_FENCE.fullmatch(name) for name in names]
        return sorted(PublishFence(*map(int, match.groups())) for match in found if match)

    def fence(self, wanted: PublishFence) -> None:
        """Put a fence, unless there is one that refuses as much."""
        if not any(there.covers(wanted) for there in self.fences()):
            self._put_new(wanted.path, b"\n")

    def purge(self, goes: Callable[[str, bytes], bool]) -> None:
        """Remove what dead writers left, and the older versions of files that go, by their content.

        Only buckets keep older versions. Another may do the same at once.
        """

        def look_and_remove() -> None:
            self.files.drop_unfinished("")
            for one in self.files.hidden(""):
                if not one.marker and goes(one.path, self.files.get_hidden(one)):
                    self.files.remove_hidden(one)

        self._retry.call("purging the releases", look_and_remove)

    def _put_new(self, path: str, data: bytes) -> bool:
        return self._retry.call(f"writing releases/{path}", lambda: self.files.put_new(path, data))

    def _walk(self, prefix: str) -> list[tuple[str, int]]:
        list_all: Callable[[], list[tuple[str, int]]] = lambda: list(self.files.walk(prefix))  # noqa: E731
        return self._retry.call("listing the releases", list_all)


def _abandoned(one: ReleaseVersion) -> ReleaseClaimError:
    return ReleaseClaimError(
        f"{one.name} {one.version} was abandoned, by a builder with --take-over or by an erasure: "
        "build again"
    )


def _is_debris(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


def _fits(one: ReleaseVersion, which: str) -> bool:
    if which.startswith("sha256:"):
        return one.digest.startswith(which.removeprefix("sha256:"))
    if which == "latest":
        return not one.withdrawn
    numbers = [int(part) for part in which.split(".")]
    if list(one.version[: len(numbers)]) != numbers:
        return False
    return len(numbers) == 3 or not one.withdrawn


def latest_version(there: Sequence[ReleaseVersion]) -> ReleaseVersion | None:
    """Return what ``@latest`` means: the published version with the highest number, in force."""
    return max((s for s in there if s.published and not s.withdrawn), key=_version, default=None)


def last_published_version(there: Sequence[ReleaseVersion]) -> ReleaseVersion | None:
    """Return the published version with the highest number, withdrawn or not."""
    return max((s for s in there if s.published), key=_version, default=None)


def _version(one: ReleaseVersion) -> SemanticVersion:
    return one.version
