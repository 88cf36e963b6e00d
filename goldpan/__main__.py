"""Lets ``python -m goldpan`` be the command ``goldpan``."""

from goldpan.cli import main

if __name__ == "__main__":
    main()
