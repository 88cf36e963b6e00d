"""The command line. A command's module is imported only when the command runs."""

from goldpan.package_guard import refuse_foreign_packages

refuse_foreign_packages()  # before importing anything that could be shadowed

from goldpan.cli.main import main  # noqa: E402

__all__ = ["main"]
