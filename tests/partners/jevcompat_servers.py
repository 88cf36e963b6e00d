"""Runs jevcompat's mock server once without a fault and once with each: prints their addresses.

``jevcompat_servers.py KEYS`` takes JSON with the key that a server requires, by fault. It ends when
its standard input does.
"""

import json
import sys
from contextlib import ExitStack

from jevcompat.mock import FAULTS, MockConfig, Running

keys = json.loads(sys.argv[1])
with ExitStack() as running:
    addresses = {}
    for name in ("", *FAULTS):
        config = MockConfig(key=keys.get(name), faults=frozenset([name] if name else []))
        addresses[name] = running.enter_context(Running(config)).url
    print(json.dumps(addresses), flush=True)
    sys.stdin.read()
