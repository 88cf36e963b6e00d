"""Counts the words that a model for names takes for persons in text without names, per 10,000.

    python -m benchmarks.ner_ordinary [--model shipped] [--conversations FILE] [--json]

The texts are docstrings and code of Python's own library; log lines and policy texts of the tests;
messages of an assistant (``--conversations``, except for what the users' records contain). There
are also messages of a program in German, Spanish, French and Japanese, from the catalogues of
Wagtail (BSD-3). This script installs them below ``build/``, since nothing else needs them. No model
was trained on any of these texts.
"""

import ast
import gettext
import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from redact.ner.stage import NerStage

CATALOGUES = "wagtail==8.0.1"
_FOLDER = Path("build/ordinary")
_TEXTS = Path("tests/data/ner/ordinary")
_LANGUAGES = {"German": "de", "Spanish": "es", "French": "fr", "Japanese": "ja"}
_MODULES = ("argparse", "json", "logging", "email", "http", "asyncio", "unittest", "concurrent")
_WORD = re.compile(r"\w+")
_NAME = re.compile(r"""(?:first|last)_name\\*": ?\\*"([^"\\]+)""")
_TAG = re.compile(r"<[^<>]*>")
_SLOT = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
_JAPANESE_LETTERS = 2  # to a word


def docstrings() -> Iterator[str]:
    """Yield the docstrings of some modules of Python's library."""
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                yield ast.get_docstring(node) or ""


def code() -> Iterator[str]:
    """Yield the source of those modules in pieces of forty lines."""
    for path in _files():
        lines = path.read_text(encoding="utf-8").splitlines()
        for start in range(0, len(lines), 40):
            yield "\n".join(lines[start : start + 40])


def _files() -> Iterator[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    for module in _MODULES:
        folder = library / module
        yield from sorted(folder.rglob("*.py")) if folder.is_dir() else [library / f"{module}.py"]


def _trees() -> Iterator[ast.Module]:
    return (ast.parse(path.read_text(encoding="utf-8")) for path in _files())


def catalogue(language: str) -> Iterator[str]:
    """Yield the messages of Wagtail in a language."""
    if not (_FOLDER / "wagtail").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--target", str(_FOLDER), CATALOGUES], check=True)
    for path in sorted((_FOLDER / "wagtail").rglob(f"locale/{language}/LC_MESSAGES/*.mo")):
        with path.open("rb") as file:
            messages: Any = gettext.GNUTranslations(file)
        for source, text in messages._catalog.items():
            if source and isinstance(text, str):
                yield _SLOT.sub("3", _TAG.sub(" ", text))


def lines(name: str) -> list[str]:
    """Return the lines of a file of the tests."""
    return (_TEXTS / name).read_text(encoding="utf-8").splitlines()


def answers(path: Path) -> Iterator[str]:
    """Yield what an assistant wrote in conversations, full of codes and times."""
    for line in path.read_text(encoding="utf-8").splitlines():
        for message in json.loads(line)["messages"]:
            if message["role"] == "assistant" and message.get("content"):
                yield message["content"]


def persons_known(path: Path) -> set[str]:
    """Return the words in names of the subjects, and of the passengers passed to tools.

    Findings of those are correct.
    """
    beside = path.with_name("subjects.json")
    texts = [beside.read_text(encoding="utf-8")]
    texts += _NAME.findall(path.read_text(encoding="utf-8"))
    return {word.lower() for text in texts for word in _WORD.findall(text)}


def false_words(
    names: NerStage, texts: Sequence[str], right: set[str], type_: str = "PERSON"
) -> tuple[int, list[str]]:
    """Return how many words there are, and which ones are taken for a type."""
    wrong: list[str] = []
    many = 0
    for text, found in zip(texts, names.find(texts), strict=True):
        many += _words(text)
        for one in found:
            value = text[one.start : one.end]
            if one.type == type_ and not right.issuperset(_WORD.findall(value.lower())):
                wrong += [value] * _words(value)
    return many, wrong


def _words(text: str) -> int:
    letters = sum("\u3040" <= letter <= "\u9fff" for letter in text)
    return len(_WORD.findall(text)) + letters // _JAPANESE_LETTERS


@click.command()
@click.option("--model", default="shipped", show_default=True)
@click.option("--conversations", type=click.Path(path_type=Path, exists=True))
@click.option("--show", is_flag=True, help="Show what was taken for a person.")
@click.option("--json", "as_json", is_flag=True)
def main(model: str, conversations: Path | None, *, show: bool, as_json: bool) -> None:
    """Print how many words of 10,000 are taken for persons, for each kind of text."""
    names = NerStage(model)
    kinds: dict[str, list[str]] = {
        "docstrings": list(docstrings()),
        "code": list(code()),
        "logs": lines("logs.txt"),
        "policies": lines("policies.txt"),
    }
    kinds |= {name: list(catalogue(language)) for name, language in _LANGUAGES.items()}
    right: dict[str, set[str]] = {}
    if conversations:
        kinds["assistant"] = list(answers(conversations))
        right["assistant"] = persons_known(conversations)
    result = {}
    for kind, texts in kinds.items():
        many, wrong = false_words(names, texts, right.get(kind, set()))
        result[kind] = {"words": many, "false_in_10000": round(1e4 * len(wrong) / many, 1)}
        if show:
            click.echo(f"{kind}: {sorted(set(wrong))}")
    if as_json:
        click.echo(json.dumps(result))
        return
    for kind, figures in result.items():
        click.echo(f"{kind:12} {figures['words']:7} words {figures['false_in_10000']:6.1f}")


if __name__ == "__main__":
    main()
