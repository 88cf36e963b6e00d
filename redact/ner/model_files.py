"""Loads a spaCy model by folder or name, with what its named-entity component needs and no more."""

import hashlib
from pathlib import Path

import spacy
from spacy.about import __version__ as spacy_version
from spacy.language import Language
from spacy.util import is_package
from thinc.api import NumpyOps
from threadpoolctl import threadpool_limits

from schemas.errors import UsageError

SHIPPED = "shipped"
"""The name of the model that comes with goldpan."""

FOLDER = Path(__file__).parent / "model"
_COMPONENT = "ner"


def load_model(name: str) -> tuple[Language, str]:
    """Return the pipeline and an identity that changes when the model does.

    ``name`` is ``shipped``, the folder of a model, or the name of an installed package.

    Raises:
        UsageError: nothing of that name is there, it cannot be read, or it has no component for
            named entities.
    """
    folder = FOLDER if name == SHIPPED else Path(name)
    is_folder = (folder / "meta.json").is_file()
    if not is_folder and not is_package(name):
        raise UsageError(
            f"There is no spaCy model {name!r}: name {SHIPPED!r}, the folder of a model, or an "
            f"installed one (python -m spacy download {name})."
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
            f"name one that has, or {SHIPPED!r}."
        )
    _only_names(nlp)
    _multiply_with_numpy(nlp)
    version = f"{nlp.meta['lang']}_{nlp.meta['name']}-{nlp.meta['version']}"
    return nlp, f"{version}-{_digest(folder)}" if is_folder else version


def _only_names(nlp: Language) -> None:
    """Turn off all components but the one for names and those whose vectors it listens to."""
    model = nlp.get_pipe(_COMPONENT).model  # type: ignore[attr-defined]  # Pipe has it when trainable
    upstream = {getattr(node, "upstream_name", None) for node in model.walk()}
    listened = upstream & {"*", *nlp.pipe_names}
    if "*" in listened:
        listened |= {"tok2vec", "transformer"}
    keep = [pipe for pipe in nlp.pipe_names if pipe == _COMPONENT or pipe in listened]
    nlp.select_pipes(enable=keep)


def _multiply_with_numpy(nlp: Language) -> None:
    """Let numpy multiply matrices, in one thread: three times as fast as spaCy's own way.

    Of several threads most would only wait: a worker has one process a core.
    """
    threadpool_limits(limits=1, user_api="blas")
    plain = NumpyOps(use_blis=False)
    for _, pipe in nlp.pipeline:
        for node in pipe.model.walk():  # type: ignore[attr-defined]  # as above
            if type(node.ops) is NumpyOps:
                node.ops = plain


def _digest(folder: Path) -> str:
    """A short hash over the model's files, so that two trainings are two identities."""
    hash_ = hashlib.sha256()
    for path in sorted((folder / _COMPONENT).rglob("*")):
        if path.is_file():
            hash_.update(path.relative_to(folder).as_posix().encode())
            hash_.update(path.read_bytes())
    return hash_.hexdigest()[:12]
