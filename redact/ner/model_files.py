"""Loads a name model: one of the two shipped, or a spaCy model by folder or name."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from zipfile import BadZipFile

from threadpoolctl import threadpool_limits

from redact.ner.encoder import KIND as ENCODER
from redact.ner.encoder import Encoder
from redact.ner.ensemble import EnsembleReader
from redact.ner.model_format import FILES, SETTINGS, SHIPPED, SHIPPED_LARGE, model_digest
from redact.ner.reader import NameReader
from redact.ner.tagger import KIND as TAGGER
from redact.ner.tagger import Tagger
from redact.ner.tagger_reader import TaggerReader
from schemas.errors import UsageError

FOLDERS = {
    SHIPPED: Path(__file__).parent / "model",
    SHIPPED_LARGE: Path(__file__).parent / "model_large",
}

_READERS: dict[str, Callable[[Path], NameReader]] = {
    TAGGER: lambda folder: TaggerReader(Tagger.of(folder)),
    ENCODER: lambda folder: EnsembleReader(Encoder.of(folder), Tagger.of(FOLDERS[SHIPPED])),
}


def load_reader(name: str) -> tuple[NameReader, str]:
    """Return a reader for a model, and an identity that changes with the model.

    ``name`` is ``shipped`` or ``shipped-large``, the folder of a model, or the name of an
    installed spaCy package.

    Raises:
        UsageError: there is no such model, it cannot be read, or it has no component for named
            entities.
    """
    # A worker has one process per core, so that more threads would only wait.
    threadpool_limits(limits=1, user_api="blas")
    folder = FOLDERS.get(name) or Path(name)
    if (folder / SETTINGS).is_file():
        return _own(name, folder)
    # spaCy takes a second to import, and a shipped model needs nothing of it.
    load_pipeline = import_module("redact.ner.pipeline").load_pipeline
    reader, identity = load_pipeline(name, folder)
    return reader, identity


def _own(name: str, folder: Path) -> tuple[NameReader, str]:
    try:
        kind = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))["kind"]
        reader = _READERS[kind](folder)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise UsageError(
            f"The model {name!r} cannot be loaded ({type(error).__name__}): its files belong to "
            f"another version of goldpan, or are incomplete; name {SHIPPED!r}."
        ) from error
    parts = (folder, FOLDERS[SHIPPED]) if kind == ENCODER else (folder,)
    return reader, "goldpan_names-" + "-".join(model_digest(part, FILES) for part in parts)
