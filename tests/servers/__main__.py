"""Fetches and builds the servers of `make test` into the cache: ``python -m tests.servers``."""

from tests.servers.fixtures import EVERYDAY, prepare_servers

if __name__ == "__main__":
    prepare_servers(EVERYDAY)
