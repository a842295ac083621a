"""Predictions and records of a run in few small files, and back; no byte of them depends on when or where."""

import io
import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from weckd.data.fetch.members import members
from weckd.errors import UserError
from weckd.files import whole_file
from weckd.sums import refuse_changed, sums_of, write_sums

NAMES = ("dataset", "method", "split", "image_id", "group_id")
# One page a column: fits that several methods share lie in it several times, and compress away.
_ONE_PAGE = 1 << 30
LARGEST = 4_000_000_000
"""Bytes that a reference's records, or the predictions of one data set, may unpack to."""
DISTRUST = "do not use it, or freeze the run again"
_PICTURES = ("example_rows", "example_images", "example_maps")
"""Arrays of an attention file that are, or show, images."""


def pack_predictions(cells: Iterable[Path], out: Path) -> None:
    """Write the cells of one data set as one table, in their order.

    Args:
        cells: `seed<k>.parquet` files.
        out: file to write.

    Raises:
        UserError: a cell is not what `gather` wrote.
    """
    tables = []
    for file in cells:
        refuse_changed(file, sums_of(file))
        tables.append(pq.read_table(file))
    whole = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    with whole_file(out) as temporary:
        pq.write_table(
            whole,
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=list(NAMES),
            row_group_size=len(whole) or 1,
            data_page_size=_ONE_PAGE,
            write_statistics=False,
            store_schema=False,
        )


def unpack_predictions(file: Path, seeds: Collection[int], folder: Path) -> None:
    """Write a packed data set as `folder/seed<k>.parquet`, a file a cell.

    Raises:
        UserError: it cannot be read, holds another seed than these, or unpacks to more than LARGEST.
    """
    try:
        facts = pq.ParquetFile(file).metadata
        size = sum(facts.row_group(n).total_byte_size for n in range(facts.num_row_groups))
        # What a column repeats counts for little there, and fully in memory.
        _refuse_large(file, max(size, facts.num_rows * facts.num_columns * 8))
        frame = pd.read_parquet(file)
    except (OSError, ValueError, pa.ArrowException) as problem:
        raise UserError(f"{file}: not a readable table of predictions ({problem}); {DISTRUST}") from problem
    others = set(frame["seed"]) - set(seeds) if "seed" in frame else {"none"}
    if others:
        raise UserError(f"{file}: seed {min(map(str, others))} is not one of the suite's; {DISTRUST}")
    for seed, rows in frame.groupby("seed", sort=False):
        out = folder / f"seed{seed}.parquet"
        with whole_file(out) as temporary:
            rows.reset_index(drop=True).to_parquet(temporary, index=False, compression="zstd")
        write_sums(sums_of(out), [out])


def pack_records(run: Path, files: Iterable[Path], out: Path) -> None:
    """Write files of a run into one archive; of attention files the numbers alone.

    Args:
        run: folder that names in the archive are relative to.
        files: below it.
        out: .tar.xz to write.
    """
    with whole_file(out) as temporary, tarfile.open(temporary, "w:xz", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(files):
            content = _without_pictures(file) if file.suffix == ".npz" else file.read_bytes()
            entry = tarfile.TarInfo(file.relative_to(run).as_posix())  # no time, no owner
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def unpack_records(file: Path, folder: Path) -> None:
    """Unpack an archive below a folder.

    Raises:
        UserError: it is damaged, a member is no plain file or would leave the folder, or all are more than LARGEST.
    """
    total = 0
    for member in members(file):
        with (
            whole_file(folder / member.path) as temporary,
            member.open() as source,
            temporary.open("wb") as out,
        ):
            while piece := source.read(1 << 20):
                total += len(piece)
                _refuse_large(file, total)
                out.write(piece)


def _refuse_large(file: Path, size: int) -> None:
    if size > LARGEST:
        raise UserError(
            f"{file}: unpacks to more than {LARGEST / 1e9:g} GB, as no reference does; {DISTRUST}"
        )


def _without_pictures(file: Path) -> bytes:
    with np.load(file, allow_pickle=False) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name not in _PICTURES}
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **kept)
    return stream.getvalue()
