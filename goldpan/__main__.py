"""Lets ``python -m goldpan`` be the command ``goldpan``."""

import importlib

from goldpan.safe_path import leave_folder

if __name__ == "__main__":
    leave_folder()
    importlib.import_module("goldpan.cli").main()
