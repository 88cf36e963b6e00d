"""The command line. Each command is a module here, loaded only when it is called."""

from goldpan.cli.main import main

__all__ = ["main"]
