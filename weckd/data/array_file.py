"""A NumPy file that grows item by item, so that an array larger than memory can be written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from weckd.files import whole_file


@contextmanager
def growing_array(path: Path, item_shape: tuple[int, ...]) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yield a function that appends one uint8 item; the file appears, whole, when the block ends without error."""
    count = 0
    with whole_file(path) as temporary, temporary.open("wb") as stream:

        def append(item: NDArray[np.uint8]) -> None:
            nonlocal count
            stream.write(np.ascontiguousarray(item).data)
            count += 1

        _write_header(stream, (0, *item_shape))
        yield append
        stream.seek(0)  # NumPy pads headers, so that the first axis can grow in place
        _write_header(stream, (count, *item_shape))


def _write_header(stream: BinaryIO, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
