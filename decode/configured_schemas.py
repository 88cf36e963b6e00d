"""Opens the source of writers' schemas that the settings describe.

The client of a registry is loaded only if there is one: it is an eighth of a worker's start.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeAlias, cast
from urllib.parse import urlsplit

from decode.schema_sources import ChainedSource, FolderSource, SchemaSource
from schemas.errors import UsageError

ConnectRegistry: TypeAlias = Callable[
    [str, str | None, str | None, Callable[[], float]], SchemaSource
]


def open_schema_source(
    folder: Path | None,
    registry_url: str | None,
    *,
    user: str | None = None,
    password: str | None = None,
    clock: Callable[[], float],
) -> SchemaSource:
    """Return the source that the settings describe: package and folder, then the registry.

    Sends nothing to the registry yet. Raises ``UsageError`` for unusable settings.
    """
    local = FolderSource(folder)
    if not registry_url:
        return local
    if not all(_is_http(url) for url in registry_url.split(",")):
        raise UsageError("The URL of the schema registry must look like http://host:8081.")
    connect = cast("ConnectRegistry", import_module("decode.registry_source").connect_registry)
    return ChainedSource(local, connect(registry_url, user, password, clock))


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # unbalanced brackets, for example
        return False
