"""A process that moves the position of one partition twenty times, against another one."""

import sys
from pathlib import Path

from schemas.errors import FencedError
from tests.ending import end
from tests.lake.kit import SOURCE, append, open_lake

ROUNDS = 20


def main(folder: str, name: int) -> None:
    """Take the position, commit three more records, go on until the topic's end."""
    table = open_lake(Path(folder)).table("feedback")
    won = 0
    for turn in range(1000):
        table.refresh()
        position = table.positions([SOURCE])[SOURCE]
        if (position or 0) >= 3 * ROUNDS:
            break
        try:
            append(table, position, (position or 0) + 3, token=name * 1000 + turn)
        except FencedError:
            continue
        won += 1
    sys.stdout.write(str(won))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
    end()
