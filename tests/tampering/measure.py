"""Does each way to a lake, and tells what sees it."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from lake.head import LakeHead
from lake.verify import VerifyReport, verify_lake
from lake.verify_audit import AuditRules
from lake.verify_files import DeepOptions
from redact.pipeline.audit import chain_hash
from tests.lake.kit import patience
from tests.tampering.scene import make, open_lake
from tests.tampering.ways import WAYS

BEGIN: Final = "<!-- python -m tests.tampering docs/proofs.md -->\n"
END: Final = "<!-- end -->\n"
HOW: Final = DeepOptions(audit=AuditRules(chain_hash))
NOTHING: Final = "nothing"


def proved(folder: Path, *, deep: bool = False, since: LakeHead | None = None) -> VerifyReport:
    """Verify a lake, with patience that never waits."""
    return verify_lake(open_lake(folder), deep=deep, options=HOW, since=since, retry=patience())


def seen(folder: Path, work: Path, head: LakeHead, names: Iterable[str]) -> Mapping[str, str]:
    """Return what is the first to see some ways: ``verify``, ``--deep``, or ``--head``."""
    found: dict[str, str] = {}
    for name in names:
        copy = work / str(len(found))
        shutil.copytree(folder, copy)
        WAYS[name](copy)
        found[name] = _first(copy, head)
        shutil.rmtree(copy)
    return found


def _first(folder: Path, head: LakeHead) -> str:
    if proved(folder).problems:
        return "`verify`"
    if proved(folder, deep=True).problems:
        return "`--deep`"
    return "`--head`" if proved(folder, since=head).problems else NOTHING


def rows(work: Path, names: Iterable[str] = tuple(WAYS)) -> str:
    """Make a lake, do each way to a copy of it, and return the rows of the table."""
    make(work / "lake")
    report = proved(work / "lake", deep=True)
    if not report.ok or report.head is None:
        raise AssertionError(report.problems)
    found = seen(work / "lake", work, report.head, names)
    return "".join(f"| {name} | {by} |\n" for name, by in found.items())


def page(text: str, table: str) -> str:
    """Put the table into the page."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    head = "| what was done to the lake | seen by |\n|---|---|\n"
    return f"{before}{BEGIN}\n{head}{table}\n{END}{after}"
