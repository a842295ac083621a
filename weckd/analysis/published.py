"""The paper's own numbers, from a file such as config/published.yaml."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from weckd.config import Metric
from weckd.declared import NOT_EMPTY, Declared, checked, plain
from weckd.yaml_files import read_yaml

LARGEST = "largest"
"""Stands for the data set with the largest gain: what "up to" says."""

_Text: TypeAlias = Annotated[str, NOT_EMPTY]


@dataclass(frozen=True)
class Published(Declared):
    """A gain that the paper prints."""

    name: _Text
    method: _Text
    reference: _Text
    metric: Metric
    data_set: _Text  # a key, "macro" or "largest"
    value: float  # percentage points
    where: _Text  # table, page or section
    version: _Text  # of the paper


def read_published(file: Path) -> tuple[Published, ...]:
    """Read the paper's numbers.

    Raises:
        UserError: the file cannot be read, or an entry lacks a key or has a wrong one.
    """
    values = plain(tuple[Published, ...], read_yaml(file, "name a list of published numbers", []))
    return checked(tuple[Published, ...], values, f"{file}: not a valid list of published numbers")
