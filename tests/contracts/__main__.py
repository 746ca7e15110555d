"""Write the snapshots of all event contracts: `.venv/bin/python -m tests.contracts`."""

import json

from hubkit.contracts import BY_TYPE
from tests.contracts.snapshots import FOLDER, schema_of

for event_type, contract in BY_TYPE.items():
    path = FOLDER / f"{event_type}.json"
    path.write_text(json.dumps(schema_of(contract), indent=2, sort_keys=True) + "\n", encoding="utf-8")
