"""``python -m tests.tampering docs/proofs.md``: write what sees which way into the page."""

import sys
import tempfile
from pathlib import Path

from tests.tampering.measure import page, rows


def main() -> None:
    """Write the page that is named."""
    path = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        table = rows(Path(work))
    path.write_text(page(path.read_text(encoding="utf-8"), table), encoding="utf-8")


if __name__ == "__main__":
    main()
