"""Finds names with a spaCy pipeline.

Only the components of a spaCy model that named-entity recognition needs are run. Importing this
module imports spaCy; see `redact.ner.model_files`.
"""

from collections.abc import Sequence
from pathlib import Path

import spacy
from spacy.about import __version__ as spacy_version
from spacy.language import Language
from spacy.util import is_package
from thinc.api import NumpyOps

from redact.ner.model_format import SHIPPED, model_digest
from redact.ner.reader import NamedSpan
from schemas.errors import UsageError

_COMPONENT = "ner"
_TEXTS = 64


class SpacyReader:
    """Runs a spaCy pipeline. Its string store is freed after each call."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp

    def names(self, texts: Sequence[str]) -> list[list[NamedSpan]]:
        """Return the names in each text; see :class:`redact.ner.reader.NameReader`."""
        with self._nlp.memory_zone():
            return [
                [NamedSpan(span.label_, span.start_char, span.end_char) for span in doc.ents]
                for doc in self._nlp.pipe(texts, batch_size=_TEXTS)
            ]


def load_pipeline(name: str, folder: Path) -> tuple[SpacyReader, str]:
    """Return a reader for a spaCy model and its identity; see `redact.ner.model_files`."""
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
    return SpacyReader(nlp), f"{version}-{model_digest(folder, files)}" if is_folder else version


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
