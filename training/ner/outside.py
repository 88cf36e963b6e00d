"""Data of other packages: names from Faker (MIT), text without names from message catalogues.

Both are needed for the shipped model and omitted if a recipe says so. One name in ten is never
used, so that the model can be measured on names unseen in training.
"""

import ast
import gettext
import importlib
import re
import zlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LANGUAGES = ("de", "fr", "es", "pt", "it", "nl", "pl")
"""The languages besides English that have their own templates."""

_OTHERS = ("ja", "zh_Hans", "ko", "ru", "uk", "tr", "sv", "da", "nb", "fi", "cs", "hu", "ro", "el")
"""Languages whose text only serves as examples without names."""

_DOMAINS = ("django", "oscar", "allauth")
_PACKS = {
    "de": "de_DE", "fr": "fr_FR", "es": "es_ES", "pt": "pt_BR", "it": "it_IT", "nl": "nl_NL",
    "pl": "pl_PL", "ja": "ja_JP",
}  # fmt: skip
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff' .-]+")
_TAG = re.compile(r"<[^<>]*>|&\w+;")
_SLOT = re.compile(r"%\(\w+\)[sdif]|%[sdif]|%\d+|\{+[^{}]*\}+")
_SPACE = re.compile(r"\s+")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_HELD_OUT = 10
# Catalogues of the names of countries, languages, months.
_NAMES_INSIDE = re.compile(r"countries|django/conf/|humanize")


def held_out(name: str) -> bool:
    """Return whether a name is reserved for measurement and never used in training."""
    return zlib.crc32(name.lower().encode()) % _HELD_OUT == 0


@cache
def faker_names() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return Faker's given and family names in Latin letters, by locale.

    Raises:
        ModuleNotFoundError: Faker is not installed.
    """
    found = {}
    for locale in importlib.import_module("faker.config").AVAILABLE_LOCALES:
        if find_spec(f"faker.providers.person.{locale}") is None:
            continue
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        given, family = _all(provider, "first_names"), _all(provider, "last_names")
        if len(given) > 30 and len(family) > 30:
            found[locale] = (given, family)
    return found


def _all(provider: Any, what: str) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for attribute in sorted(dir(provider)):
        value = getattr(provider, attribute)
        if attribute.startswith(what) and isinstance(value, tuple | list | dict):
            names |= dict.fromkeys(value)
    return tuple(
        name
        for name in names
        if isinstance(name, str) and len(name) > 1 and _LATIN.fullmatch(name) and not held_out(name)
    )


@cache
def sentences(language: str) -> tuple[str, ...]:
    """Return text of a language without names, from the installed catalogues."""
    texts: dict[str, None] = {}
    for path in _catalogues(language):
        with path.open("rb") as file:
            catalogue: Any = gettext.GNUTranslations(file)
        for source, text in sorted(catalogue._catalog.items(), key=str):
            if source and isinstance(text, str):
                texts |= dict.fromkeys(_plain(text))
    return tuple(texts)


@cache
def sources() -> tuple[str, ...]:
    """Return the English texts that those catalogues translate."""
    texts: dict[str, None] = {}
    for path in _catalogues("de"):
        with path.open("rb") as file:
            catalogue: Any = gettext.GNUTranslations(file)
        for source in sorted(catalogue._catalog, key=str):
            text = source[0] if isinstance(source, tuple) else source
            texts |= dict.fromkeys(_plain(text.split("\x04")[-1]))
    return tuple(texts)


@cache
def other_sentences() -> tuple[str, ...]:
    """Return text without names in languages that have no templates."""
    return tuple(text for language in _OTHERS for text in sentences(language))


def _catalogues(language: str) -> Iterator[Path]:
    for package in _DOMAINS:
        root = _folder(package)
        for path in sorted(root.rglob(f"locale/{language}/LC_MESSAGES/*.mo")):
            if not _NAMES_INSIDE.search(path.as_posix()):
                yield path
    if language in _PACKS:
        pack = _PACKS[language]
        yield from sorted(_folder(f"jupyterlab_language_pack_{pack}").rglob("*.mo"))


def _plain(text: str) -> list[str]:
    """Return a message as people see it; nothing if it is nearly all code."""
    plain = _SPACE.sub(" ", _SLOT.sub("3", _TAG.sub(" ", text))).strip()
    return [plain] if 8 <= len(plain) <= 400 and _LETTERS.search(plain) else []


@cache
def docstrings() -> tuple[str, ...]:
    """Return paragraphs of the docstrings of Django and JAX: technical prose without names."""
    texts: dict[str, None] = {}
    for package in ("django", "jax"):
        for path in sorted(_folder(package).rglob("*.py")):
            if "locale" in path.parts or "test" in path.as_posix():
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                    text = ast.get_docstring(node) or ""
                    parts = (part.strip() for part in re.split(r"\n\s*\n", text))
                    texts |= dict.fromkeys(part[:400] for part in parts if len(part) > 15)
    return tuple(texts)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"The package {package!r} is not installed.")
    return Path(spec.submodule_search_locations[0])
