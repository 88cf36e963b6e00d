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
"""  # noqa: E501 - a table

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from batch.release.files import CHECKSUMS, MANIFEST, WITHDRAWN, sha256
from batch.release.version import Reference, Version
from lake.objects import ObjectStore
from lake.retry import Retry
from schemas.errors import FatalError, FencedError, UsageError

CLAIMS: Final = "claims"


class TakenError(FencedError):
    """Another builder has this place. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A version that has been claimed. ``digest`` is the SHA-256 of its manifest, as hex digits."""

    name: str
    number: int
    version: Version
    digest: str
    published: bool
    abandoned: bool
    withdrawn: bool

    @property
    def folder(self) -> str:
        """Return where its files are."""
        return f"{self.name}/{self.version}"


class Shelf:
    """All releases under one root."""

    def __init__(self, files: ObjectStore, retry: Retry) -> None:
        self.files = files
        self._retry = retry

    def names(self) -> list[str]:
        """Return the names of which there are releases."""
        found = {path.split("/", 1)[0] for path, _ in self._walk("") if "/" in path}
        return sorted(found)

    def standing(self, name: str) -> list[Standing]:
        """Return every version of a name that was ever claimed, oldest first."""
        sizes = dict(self._walk(f"{name}/"))
        claims = sorted(path for path in sizes if path.startswith(f"{name}/{CLAIMS}/"))
        return [self._standing(name, path, sizes) for path in claims if not _is_debris(path)]

    def _standing(self, name: str, path: str, sizes: Mapping[str, int]) -> Standing:
        told = self.get(path).decode(errors="replace").split()
        try:
            version, digest = Version.parse(told[0]), told[1].removeprefix("sha256:")
            number = int(path.rpartition("/")[2])
        except (ValueError, IndexError):
            raise FatalError(f"releases/{path} is no claim: something else wrote it") from None
        done = sizes.get(f"{name}/{version}/{CHECKSUMS}")
        withdrawn = f"{name}/{version}/{WITHDRAWN}" in sizes
        return Standing(name, number, version, digest, bool(done), done == 0, withdrawn)

    def find(self, asked: Reference) -> Standing:
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

    def read(self, one: Standing, file: str) -> bytes:
        """Return a file of a version."""
        return self.get(f"{one.folder}/{file}")

    def publish(self, name: str, number: int, version: Version, files: Mapping[str, bytes]) -> None:
        """Claim, fill and publish; may be repeated with the same files.

        Raises TakenError if another builder was first.
        """
        claim = f"{version} sha256:{sha256(files[MANIFEST])}\n".encode()
        if not self._put_new(f"{name}/{CLAIMS}/{number:06}", claim):
            raise TakenError(
                f"another builder has begun release {number} of {name}: it will be there soon; if "
                "that builder is dead, build again with --take-over"
            )
        folder = f"{name}/{version}"
        for file in sorted(files.keys() - {CHECKSUMS}):
            if not self._put_new(f"{folder}/{file}", files[file]):
                raise FatalError(
                    f"releases/{folder}/{file} is there with another content, though this builder "
                    "has the claim: something else wrote it; move it away and build again"
                )
        if not self._put_new(f"{folder}/{CHECKSUMS}", files[CHECKSUMS]):
            raise TakenError(f"{name} {version} was abandoned by a builder with --take-over")

    def abandon(self, one: Standing) -> bool:
        """Mark a claimed version as one that will never be; False if it is there by now."""
        return self._put_new(f"{one.folder}/{CHECKSUMS}", b"")

    def put_new(self, path: str, data: bytes) -> bool:
        """Write a file if it is not there; tell whether this content is there now."""
        return self._put_new(path, data)

    def _put_new(self, path: str, data: bytes) -> bool:
        return self._retry.call(f"writing releases/{path}", lambda: self.files.put_new(path, data))

    def _walk(self, prefix: str) -> list[tuple[str, int]]:
        list_all: Callable[[], list[tuple[str, int]]] = lambda: list(self.files.walk(prefix))  # noqa: E731
        return self._retry.call("listing the releases", list_all)


def _is_debris(path: str) -> bool:
    return path.rpartition("/")[2].startswith(".")


def _fits(one: Standing, which: str) -> bool:
    if which.startswith("sha256:"):
        return one.digest.startswith(which.removeprefix("sha256:"))
    if which == "latest":
        return not one.withdrawn
    numbers = [int(part) for part in which.split(".")]
    if list(one.version[: len(numbers)]) != numbers:
        return False
    return len(numbers) == 3 or not one.withdrawn


def last_published(there: Sequence[Standing]) -> Standing | None:
    """Return the published version with the highest number, withdrawn or not."""
    return max((s for s in there if s.published), key=lambda s: s.version, default=None)
