"""The licences of everything that is installed: permissive, or with a written reason.

``python -m tests.architecture.licences`` lists them and fails on others.
"""

import re
import sys
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from typing import Final

ALLOWED: Final = frozenset(
    {
        *("Apache-2.0", "Apache 2.0", "Apache License 2.0", "Apache Software License"),
        *("BSD-2-Clause", "BSD-3-Clause", "3-Clause BSD License", "0BSD", "BSD License"),
        *("MIT", "MIT-0", "MIT License", "ISC", "ISC License (ISCL)", "Zlib", "CC0-1.0"),
        *("PSF-2.0", "Python Software Foundation License", "CNRI-Python", "Unlicense"),
        # Copyleft for its own files only, which goldpan does not change.
        *("MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)"),
    }
)

EXCEPTIONS: Final[Mapping[str, str]] = {
    "kubernetes-validate": "its metadata says only `Apache`; the licence in its wheel is 2.0",
}
"""Distributions with another licence (LGPL, say), and the reason why they may be used."""

_NO_LICENCE: Final = "DFSG approved"  # a classifier that says what Debian thinks of the licence
_AND_OR: Final = re.compile(r"\s+(?:AND|OR)\s+")


def licence_of(distribution: Distribution) -> str:
    """Return what a distribution says of its licence: expression, or classifiers, or text."""
    metadata = distribution.metadata
    expressions = metadata.get_all("License-Expression")
    if expressions:
        return str(expressions[0])
    classifiers = metadata.get_all("Classifier") or []
    named = [c.rpartition("::")[2].strip() for c in classifiers if c.startswith("License ::")]
    return (
        " AND ".join(name for name in named if name != _NO_LICENCE)
        or str((metadata.get_all("License") or [""])[0]).partition("\n")[0]
    )


def is_permissive(licence: str) -> bool:
    """Tell whether all licences of an expression are allowed; an empty one is not."""
    parts = [part if part in ALLOWED else part.strip("()") for part in _AND_OR.split(licence)]
    return all(part in ALLOWED for part in parts)


def faults() -> list[str]:
    """Return one sentence for each distribution whose licence is not permissive."""
    return [
        f"{distribution.name} is licensed under {licence or 'nothing that it names'}: take "
        "another, or write the reason down in tests/architecture/licences.py"
        for distribution in distributions()
        if not is_permissive(licence := licence_of(distribution))
        and distribution.name not in EXCEPTIONS
    ]


def main() -> None:
    """Print all licences, and end with 1 if one is wrong."""
    found = sorted({(d.name.casefold(), licence_of(d)) for d in distributions()})
    by_licence: dict[str, list[str]] = {}
    for name, licence in found:
        by_licence.setdefault(licence, []).append(name)
    for licence, names in sorted(by_licence.items()):
        print(f"{licence}: {', '.join(names)}")
    wrong = faults()
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
