"""The paper's own numbers, from a file such as config/published.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weckd.analysis.yaml_files import read_yaml
from weckd.config import build

LARGEST = "largest"
"""Stands for the data set with the largest gain: what "up to" says."""

_TEXT = {"type": "string", "minLength": 1}
SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "method", "reference", "metric", "data_set", "value", "where", "version"],
        "properties": {
            "name": _TEXT,
            "method": _TEXT,
            "reference": _TEXT,
            "metric": _TEXT,
            "data_set": _TEXT,
            "value": {"type": "number"},
            "where": _TEXT,
            "version": _TEXT,
        },
    },
}


@dataclass(frozen=True)
class Published:
    """A gain that the paper prints."""

    name: str
    method: str
    reference: str
    metric: str
    data_set: str  # a key, "macro" or "largest"
    value: float  # percentage points
    where: str  # table, page or section
    version: str  # of the paper


def read_published(file: Path) -> tuple[Published, ...]:
    """Read the paper's numbers.

    Raises:
        UserError: the file cannot be read, or an entry lacks a key or has a wrong one.
    """
    values = read_yaml(file, SCHEMA, "list of published numbers") or []
    return tuple(build(Published, value) for value in values)
