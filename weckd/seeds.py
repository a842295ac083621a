"""Random streams keyed by named axes, so that adding a method, data set or seed changes no other stream."""

import hashlib

import numpy as np


def stream_seed(*axes: str | int) -> int:
    """Return a 63-bit seed that depends on the axes alone (SHA-256; never Python's salted `hash`).

    The first axis names the stream ("split", "init", "batches", ...), the others say whose it is.
    """
    text = "\x1f".join(f"{type(axis).__name__}:{axis}" for axis in axes)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*axes: str | int) -> np.random.Generator:
    """Return NumPy's PCG64 generator, seeded by `stream_seed(*axes)`."""
    return np.random.Generator(np.random.PCG64(stream_seed(*axes)))
