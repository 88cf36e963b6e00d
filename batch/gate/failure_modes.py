"""How often answers fail in which way, as goldpan's judges say: a share of the judged rows."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from batch.gate.side_readings import GateRow
from judges.gate.readings import GateRows, GateSide
from judges.gate.share_bounds import share_bounds

_EACH_SIDE: Final = 0.025
"""Both bounds together hold with 95 %."""

RowModes = Mapping[str, Mapping[str, str]]
"""The failure mode of rows by judge and trace id, for those that have one."""


def measure_failure_modes(
    rows: Sequence[GateRow], read: GateRows, modes: Mapping[GateSide, RowModes]
) -> list[dict[str, Any]]:
    """Return the modes as JSON, by metric and side, the most frequent first.

    ``estimate`` is the weighted share of the rows with a verdict. A fail without a mode counts as
    ``mode`` null.
    """
    found: list[dict[str, Any]] = []
    for side, by_judge in modes.items():
        for name, said in by_judge.items():
            readings = read.side(side).get(name)
            if readings is None or not said:
                continue
            failed = np.array(readings.states == "fail", np.bool_)
            mode_of_row = np.array([said.get(row.trace_id, "") for row in rows], np.str_)
            kept = readings.has_value
            weights = read.weights.subset(kept)
            of_metric = []
            for mode in sorted(set(mode_of_row[failed].tolist())):
                is_mode = failed & (mode_of_row == mode)
                bounds = share_bounds(weights, is_mode[kept].astype(float))
                if bounds is None:
                    continue
                of_metric.append(
                    {
                        "metric": name,
                        "side": side,
                        "mode": mode or None,
                        "rows": int(is_mode.sum()),
                        "estimate": bounds.estimate,
                        "low": bounds.lower(_EACH_SIDE),
                        "high": bounds.upper(_EACH_SIDE),
                    }
                )
            found += sorted(of_metric, key=lambda each: -float(str(each["estimate"])))
    return found
