"""The index of a prepared data set: what lies where in its arrays, and which images were left out."""

from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from weckd.errors import UserError


@dataclass(frozen=True)
class Record:
    """One row of the index."""

    image_id: str  # path in the source
    class_key: str
    given_group: str = ""  # patient, empty where the source names none
    official_split: str = ""  # train, validation, test, or empty where there is none
    width: int = 0  # of the source's image, pixels
    height: int = 0
    file_sha256: str = ""  # of the file, or of the image's bytes in an array of the source
    pixel_sha256: str = ""  # of the decoded RGB pixels and their size
    problem: str = ""  # why the image was left out; empty for those in the arrays


COLUMNS = tuple("class" if field.name == "class_key" else field.name for field in fields(Record))


def read_index(prepared: Path) -> pd.DataFrame:
    """Return the rows of a prepared data set's images, in the order of its arrays; all values are text.

    Raises:
        UserError: the folder holds no index, or one of another version of this suite.
    """
    index = _read(prepared)
    return index[index["problem"] == ""].reset_index(drop=True)


def left_out(prepared: Path) -> pd.DataFrame:
    """Return the rows of the images that `--skip-bad` left out.

    Raises:
        UserError: the folder holds no index, or one of another version of this suite.
    """
    index = _read(prepared)
    return index[index["problem"] != ""].reset_index(drop=True)


def _read(prepared: Path) -> pd.DataFrame:
    file = prepared / "index.csv"
    try:
        index = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as problem:
        raise UserError(
            f"{file}: not a readable index ({problem}); make it with `weckd prepare`"
        ) from problem
    if tuple(index.columns) != COLUMNS:
        raise UserError(f"{file}: columns must be {','.join(COLUMNS)}; make it again with `weckd prepare`")
    return index
