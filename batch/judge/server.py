"""The server of a judge: its address, whether data may go there, and the key that it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from judges.wires import endpoint_of
from schemas.errors import UsageError
from schemas.text_files import read_text_file

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_LONGEST_KEY: Final = 4_096


@dataclass(frozen=True, slots=True)
class ServerWords:
    """What messages call a server, and how its settings begin."""

    name: str = "the judge's server"
    settings: str = "GOLDPAN_JUDGES__"


_JUDGE: Final = ServerWords()


@dataclass(frozen=True, slots=True)
class JudgeServer:
    """A server that rows may be sent to. `allowed_server` makes it."""

    address: str
    key: SecretStr | None = None

    @property
    def host(self) -> str:
        """Return the host, for messages."""
        return urlsplit(self.address).hostname or ""

    def endpoint(self, path: str) -> str:
        """Return the address of a path on this server."""
        return endpoint_of(self.address, path)


def allowed_server(
    address: str,
    allowed_hosts: Sequence[str],
    key_file: Path | None = None,
    words: ServerWords = _JUDGE,
) -> JudgeServer:
    """Return the server at an address, if its host is on the list.

    A host is listed as `api.example.com`, with a port if only that one is meant. It is reached by
    https; `http://judge.internal:8000` allows plain http there. This machine needs no entry, since
    nothing leaves it. Raises UsageError, without the address where it could hold a password.
    """
    parts = _split(address)
    if parts is None or parts.username is not None or parts.password is not None:
        raise UsageError(
            f"The address of {words.name} ({words.settings}URL) is not one: it is "
            "http:// or https://, a host and a path, without user, password or query."
        )
    if not any(_allows(entry, parts) for entry in (*_LOOPBACK_ENTRIES, *allowed_hosts)):
        entry = parts.netloc if parts.scheme == "https" else f"http://{parts.netloc}"
        raise UsageError(
            f"{words.name[0].upper()}{words.name[1:]} {parts.hostname} is not on the list of "
            "hosts that rows may be sent to. If they may, add "
            f'"{entry}" to {words.settings}ALLOWED_HOSTS.'
        )
    return JudgeServer(address, None if key_file is None else read_server_key(key_file, words))


def read_server_key(file: Path, words: ServerWords = _JUDGE) -> SecretStr:
    """Return the key that a file holds, without white space around it.

    Raises UsageError if there is none, or if no HTTP header could hold it.
    """
    key = read_text_file(file, f"The key file {file} of {words.name}").strip()
    if not key or len(key) > _LONGEST_KEY or not all("!" <= sign <= "~" for sign in key):
        raise UsageError(
            f"The key file {file} of {words.name} ({words.settings}KEY_FILE) holds no key: "
            "that is one word of printable ASCII characters."
        )
    return SecretStr(key)


def _split(address: str) -> SplitResult | None:
    try:
        endpoint_of(address, "")
        parts = urlsplit(address)
        _port(parts)
    except ValueError:
        return None
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").removesuffix(".")


def _allows(entry: str, parts: SplitResult) -> bool:
    """Return whether an entry of the list names the scheme, the host and the port of an address."""
    try:
        allowed = urlsplit(entry if "://" in entry else f"https://{entry}")
        port = allowed.port
    except ValueError:
        return False
    if not _host(allowed) or _host(allowed) != _host(parts) or allowed.scheme != parts.scheme:
        return False
    return port is None or port == _port(parts)


_LOOPBACK_ENTRIES: Final = tuple(
    f"{scheme}://{f'[{host}]' if ':' in host else host}"
    for scheme in ("http", "https")
    for host in _LOOPBACK
)
