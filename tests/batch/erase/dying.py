"""A process that erases the person from a lake, and kills itself at a step of its own I/O.

python -m tests.batch.erase.dying FOLDER STEP: before and after every write, removal and commit is a
step, from 0; with STEP -1 it lives, and prints how many steps there were.
"""

import sys
from pathlib import Path

from deltalake import DeltaTable
from deltalake.table import TableAlterer

from lake.objects import FolderStore
from tests.batch.dying import Steps
from tests.batch.erase.world import erasure
from tests.batch.kit import open_lake
from tests.ending import end


def main(folder: str, last: int) -> None:
    """Erase."""
    steps = Steps(last)
    for owner, name in (
        (FolderStore, "put"),
        (FolderStore, "put_new"),
        (FolderStore, "swap"),
        (FolderStore, "remove"),
        (DeltaTable, "create_write_transaction"),
        (DeltaTable, "create_checkpoint"),
        (TableAlterer, "set_table_properties"),
    ):
        setattr(owner, name, steps.around(getattr(owner, name)))
    erasure(open_lake(Path(folder))).run()
    sys.stdout.write(str(steps.count))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    end()
