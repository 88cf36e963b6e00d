"""How a process that a test starts ends: as goldpan's commands do (see `goldpan.cli.main`)."""

import os
import sys
from typing import NoReturn


def end() -> NoReturn:
    """End well, and at once.

    The libraries of tables have pools of threads, on which the end of the interpreter aborts now
    and then.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
