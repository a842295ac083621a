"""What a run's manifests say of its cells."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weckd.config import Suite


def manifest_cells(suite: Suite, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the entry of every cell of the suite in `folder/<batch>.json`, see `weckd.training.job`."""
    for file in sorted(folder.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        yield from (cell for seed, cell in content["seeds"].items() if int(seed) in suite.seeds)
