"""The command line. Each command is a module here, loaded only when it is called."""

from goldpan.package_guard import refuse_foreign_packages

refuse_foreign_packages()  # at the front door, before anything that could be somebody else's is loaded

from goldpan.cli.main import main  # noqa: E402

__all__ = ["main"]
