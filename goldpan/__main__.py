"""Runs the command ``goldpan`` for ``python -m goldpan``."""

import importlib

from goldpan.safe_path import drop_working_folder

if __name__ == "__main__":
    drop_working_folder()
    importlib.import_module("goldpan.cli").main()
