"""Reads an ODCS contract: ``read_contract.py FILE`` prints its version and columns."""

import json
import sys
from pathlib import Path

from open_data_contract_standard.model import OpenDataContractStandard

read = OpenDataContractStandard.from_string(Path(sys.argv[1]).read_text())
columns = [column.name for column in read.schema_[0].properties]
print(json.dumps({"version": read.version, "columns": columns}))
