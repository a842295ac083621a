"""Memory that runs out, in words that name the setting to change."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from weckd.errors import UserError

SMALLER_IMAGES = "use a smaller image_size or backbone"


@contextmanager
def memory_for(what: str, remedy: str) -> Iterator[None]:
    """Turn a lack of memory in a block, of the host or of a GPU, into a message.

    Args:
        what: needs the memory.
        remedy: what to change.

    Raises:
        UserError: there is too little.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as problem:
        if not out_of_memory(problem):
            raise
        raise UserError(f"{what} need more memory than there is; {remedy}") from problem


def out_of_memory(problem: Exception) -> bool:
    """Tell whether an error says that memory ran out; on the CPU torch has no type of its own for it."""
    on_cpu = "DefaultCPUAllocator: can't allocate" in str(problem)
    return on_cpu or isinstance(problem, torch.OutOfMemoryError | MemoryError)


def smaller_batch(batch_size: int) -> str:
    """Return the advice for steps that do not fit."""
    if batch_size == 1:
        return SMALLER_IMAGES
    return f"try training.batch_size: {batch_size // 2} (it is {batch_size}), or {SMALLER_IMAGES}"
