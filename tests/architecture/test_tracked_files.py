"""What may not stand in any tracked file: paths of a machine, addresses of registries."""

import re

from tests.architecture.source import ROOT, tracked_files

MACHINE_PATH = re.compile(rb"(?<![\w.>/}])/(?:home|Users|root|work|mnt)/[A-Za-z0-9_.-]+")
REGISTRY = re.compile(
    rb"https?://[^\s\"'`)>]*(?:pypi|pythonhosted|/simple\b|artifactory|nexus|devpi)", re.IGNORECASE
)
LARGEST = 5 * 2**20
MODELS = {"redact/ner/model/": 8 * 2**20, "redact/ner/model_large/": 20 * 2**20}
"""The models for names, each with a limit of its own."""


def _texts() -> list[tuple[str, bytes]]:
    return [(file.as_posix(), (ROOT / file).read_bytes()) for file in tracked_files()]


def _places(pattern: re.Pattern[bytes]) -> list[str]:
    return [
        f"{name}: {hit[0].decode(errors='replace')}"
        for name, text in _texts()
        if b"\0" not in text[:8000]
        for hit in pattern.finditer(text)
    ]


def test_no_path_of_a_machine() -> None:
    """What works here works elsewhere: nothing points into somebody's home."""
    assert _places(MACHINE_PATH) == []


def test_no_address_of_a_registry() -> None:
    """Packages come from wherever the installing machine is set up to get them."""
    assert _places(REGISTRY) == []


def test_nothing_that_is_made_is_tracked() -> None:
    """Caches, environments and large files stay out of the repository."""
    names = [file.as_posix() for file in tracked_files()]
    assert [n for n in names if "__pycache__" in n or n.endswith((".pyc", ".so", ".whl"))] == []
    sizes = {str(name): len(text) for name, text in _texts()}
    large = [name for name in sizes if sizes[name] > LARGEST]
    assert [name for name in large if not name.startswith(tuple(MODELS))] == []
    for folder, limit in MODELS.items():
        assert sum(size for name, size in sizes.items() if name.startswith(folder)) <= limit


def test_the_patterns_find_what_they_are_for() -> None:
    """A check that cannot fail proves nothing. No file holds these texts, and this one neither."""
    assert MACHINE_PATH.search(b"see /%s/somebody/goldpan" % b"home")
    assert MACHINE_PATH.search(b'path = "/%s/me/x"' % b"Users")
    assert not MACHINE_PATH.search(b"https://example.com/%s/thing" % b"work")
    assert REGISTRY.search(b"--index-url https://%s.org/" % b"pypi")
