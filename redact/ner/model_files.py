"""Loads a name model: one of the two shipped, or a spaCy model by folder or name.

Only the components of a spaCy model that named-entity recognition needs are run.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from zipfile import BadZipFile

import spacy
from spacy.about import __version__ as spacy_version
from spacy.language import Language
from spacy.util import is_package
from thinc.api import NumpyOps
from threadpoolctl import threadpool_limits

from redact.ner.encoder import KIND as ENCODER
from redact.ner.encoder import Encoder
from redact.ner.ensemble import EnsembleReader
from redact.ner.model_format import FILES, SETTINGS
from redact.ner.pipeline import SpacyReader
from redact.ner.reader import NameReader
from redact.ner.tagger import KIND as TAGGER
from redact.ner.tagger import Tagger
from redact.ner.tagger_reader import TaggerReader
from schemas.errors import UsageError

SHIPPED = "shipped"
"""The name of the small model shipped with goldpan; the default."""

SHIPPED_LARGE = "shipped-large"
"""The name of the larger model, which finds more names for several times the CPU."""

FOLDERS = {
    SHIPPED: Path(__file__).parent / "model",
    SHIPPED_LARGE: Path(__file__).parent / "model_large",
}
_COMPONENT = "ner"

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
    nlp, identity = _spacy(name, folder)
    return SpacyReader(nlp), identity


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
    return reader, "goldpan_names-" + "-".join(_digest(part, FILES) for part in parts)


def _spacy(name: str, folder: Path) -> tuple[Language, str]:
    is_folder = (folder / "meta.json").is_file()
    if not is_folder and not is_package(name):
        raise UsageError(
            f"There is no name model {name!r}: name {SHIPPED!r}, the folder of a model, or an "
            f"installed spaCy model (python -m spacy download {name})."
        )
    try:
        nlp = spacy.load(folder if is_folder else name)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"The spaCy model {name!r} cannot be loaded ({type(error).__name__}): it may be of "
            f"another version than spaCy {spacy_version}; install one that matches."
        ) from error
    if _COMPONENT not in nlp.pipe_names:
        raise UsageError(
            f"The spaCy model {name!r} has no component {_COMPONENT!r}, so it finds no names: "
            f"name one that has it, or {SHIPPED!r}."
        )
    _only_names(nlp)
    _multiply_with_numpy(nlp)
    version = f"{nlp.meta['lang']}_{nlp.meta['name']}-{nlp.meta['version']}"
    files = sorted(path.relative_to(folder).as_posix() for path in (folder / _COMPONENT).rglob("*"))
    return nlp, f"{version}-{_digest(folder, files)}" if is_folder else version


def _only_names(nlp: Language) -> None:
    """Turn off all components except the one for names and those whose vectors it uses."""
    model = nlp.get_pipe(_COMPONENT).model  # type: ignore[attr-defined]  # Pipe has it when trainable
    upstream = {getattr(node, "upstream_name", None) for node in model.walk()}
    listened = upstream & {"*", *nlp.pipe_names}
    if "*" in listened:
        listened |= {"tok2vec", "transformer"}
    keep = [pipe for pipe in nlp.pipe_names if pipe == _COMPONENT or pipe in listened]
    nlp.select_pipes(enable=keep)


def _multiply_with_numpy(nlp: Language) -> None:
    """Multiply matrices with numpy: three times as fast as spaCy's own operations."""
    plain = NumpyOps(use_blis=False)
    for _, pipe in nlp.pipeline:
        for node in pipe.model.walk():  # type: ignore[attr-defined]  # as above
            if type(node.ops) is NumpyOps:
                node.ops = plain


def _digest(folder: Path, files: Iterable[str]) -> str:
    """Return a short hash over a model's files, so that two trainings have two identities."""
    hash_ = hashlib.sha256()
    for file in files:
        path = folder / file
        if path.is_file():
            hash_.update(file.encode())
            hash_.update(path.read_bytes())
    return hash_.hexdigest()[:12]
