"""Estimates by ppi-python: ``run_ppi.py FILE`` prints estimate and interval of each draw.

FILE has the judge's word on all rows, and for each draw the reviewed rows' places and reviews.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate

asked = json.loads(Path(sys.argv[1]).read_text())
judged = np.array(asked["judged"], dtype=float)
found = []
for draw in asked["draws"]:
    good = np.array(draw["good"], dtype=float)
    said = judged[draw["at"]]
    rest = np.delete(judged, draw["at"])
    low, high = ppi_mean_ci(good, said, rest, alpha=0.05)
    estimate = ppi_mean_pointestimate(good, said, rest)
    found.append([float(np.ravel(value)[0]) for value in (estimate, low, high)])
print(json.dumps(found))
