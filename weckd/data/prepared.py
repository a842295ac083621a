"""The folder of a prepared data set, read: each file is what `weckd prepare` wrote, or is refused.

Its index tells what is where in its arrays, and which images were left out.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from weckd.errors import UserError, unreadable
from weckd.files import file_digest, refuse_other

if TYPE_CHECKING:
    import pandas as pd

FACTS = "dataset.json"
ARRAYS_AND_INDEX = ("images.npy", "thumbnails.npy", "index.csv")
PREPARED_FILES = (*ARRAYS_AND_INDEX, FACTS)
_AGAIN = "the same snakemake command makes it again, and so does `weckd prepare`"


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
    fold: str = ""  # of the source's own


_FOLD = "fold"
COLUMNS = tuple(
    "class" if field.name == "class_key" else field.name for field in fields(Record) if field.name != _FOLD
)
"""Of every index; that of a source which tells folds has one more, `fold`."""


def index_frame(records: Iterable[Record]) -> "pd.DataFrame":
    """Return the index of a data set."""
    import pandas as pd  # noqa: PLC0415 - the workflow's start reads no index

    frame = pd.DataFrame(map(astuple, records), columns=[*COLUMNS, _FOLD])
    return frame if frame[_FOLD].any() else frame.drop(columns=_FOLD)


def read_facts(prepared: Path, dataset: str | None = None) -> dict[str, Any]:
    """Return what `dataset.json` says.

    Args:
        prepared: folder that `weckd prepare` wrote.
        dataset: key that it must be of.

    Raises:
        UserError: it cannot be read, or is of another data set.
    """
    file = prepared / FACTS
    with unreadable(file, "cannot be read", "make it with `weckd prepare`"):
        facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found = facts["key"]
    if dataset is not None and found != dataset:
        raise UserError(f"{prepared}: holds {found}, not {dataset}; name the folder of {dataset}")
    return facts


def refuse_unprepared(prepared: Path, facts: dict[str, Any], *names: str) -> None:
    """Refuse files that are not what `dataset.json` records of them.

    Raises:
        UserError: one cannot be read, or has another SHA-256; the message names it.
    """
    for name in names:
        refuse_other(prepared / name, facts.get("files", {}).get(name, "nothing"), FACTS, _AGAIN)


def prepared_digests(prepared: Path) -> dict[str, str]:
    """Return the SHA-256 of the files of a prepared data set; empty where it is not there.

    Raises:
        UserError: one is missing, or not what was prepared.
    """
    if not prepared.exists():
        return {}
    facts = read_facts(prepared)
    refuse_unprepared(prepared, facts, *ARRAYS_AND_INDEX)
    return {**facts["files"], FACTS: file_digest(prepared / FACTS)}


def read_thumbnails(prepared: Path, facts: dict[str, Any]) -> NDArray[np.uint8]:
    """Return the thumbnails, uint8 (N, 32, 32).

    Raises:
        UserError: they, or the index that tells what they are of, are not what was prepared.
    """
    refuse_unprepared(prepared, facts, "thumbnails.npy", "index.csv")
    return _array(prepared / "thumbnails.npy")


def read_images(prepared: Path, facts: dict[str, Any]) -> NDArray[np.uint8]:
    """Return the images, uint8 (N, S, S, 3).

    Raises:
        UserError: they, or the index that tells what they are of, are not those that the fingerprint is of, by
            which fits are told apart.
    """
    images = _array(prepared / "images.npy")
    refuse_unprepared(prepared, facts, "index.csv")
    found = hashlib.sha256(np.ascontiguousarray(images).data)
    found.update((prepared / "index.csv").read_bytes())
    if found.hexdigest() != facts["fingerprint"]:
        raise UserError(
            f"{prepared / 'images.npy'}: edited or damaged, the fingerprint of its images is "
            f"{found.hexdigest()[:12]}…, {FACTS} records {facts['fingerprint'][:12]}…; {_AGAIN}"
        )
    return images


def _array(file: Path) -> NDArray[np.uint8]:
    with unreadable(file, "not a readable array", _AGAIN):
        array: NDArray[np.uint8] = np.load(file, allow_pickle=False)
    return array


def read_index(prepared: Path, left_out: bool = False) -> "pd.DataFrame":
    """Return the rows of a prepared data set's images, in the order of its arrays; all values are text.

    Beside COLUMNS there is `fold`, "" where the source tells none.

    Args:
        prepared: folder that `weckd prepare` wrote.
        left_out: return those that `--skip-bad` left out in place of them.

    Raises:
        UserError: the folder holds no index, or one of another version of this suite.
    """
    import pandas as pd  # noqa: PLC0415 - the workflow's start reads no index

    file = prepared / "index.csv"
    with unreadable(file, "not a readable index", "make it with `weckd prepare`"):
        index = pd.read_csv(file, dtype=str, keep_default_na=False)
    if tuple(index.columns) not in (COLUMNS, (*COLUMNS, _FOLD)):
        raise UserError(f"{file}: columns must be {','.join(COLUMNS)}; make it again with `weckd prepare`")
    rows = index.assign(**{_FOLD: index.get(_FOLD, "")})
    return rows[(index["problem"] != "") == left_out].reset_index(drop=True)
