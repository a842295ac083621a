"""One nearest neighbour on thumbnails: how far memory alone comes, on test images with and without copies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weckd.audit.sets import AuditedSet
from weckd.seeds import generator

SHARE = 0.2
"""Share of the images in the test part that is drawn where the source names none."""


@dataclass(frozen=True)
class Neighbour:
    """A test part, which of its images have copies in training, and where the nearest neighbour is right."""

    official: bool  # the source's test part, or a random one
    test: NDArray[np.int64]  # rows
    identical: NDArray[np.bool_]  # (tests,) has the pixels of a training image
    leaked: NDArray[np.bool_]  # (tests,) identical, or a near copy of a training image
    right: NDArray[np.bool_]  # (tests,) the nearest training image has the same class


def nearest_neighbour(audited: AuditedSet) -> Neighbour:
    """Classify each test image by the training image whose thumbnail is nearest (Euclidean, grey, 32x32, unturned).

    The test part is the official one, or a random fifth of the images, drawn by image as is usual.
    """
    split = audited.index["official_split"]
    if audited.has_official_test():
        test, training = (split == "test").to_numpy(), (split != "test").to_numpy()
    else:
        order = generator("audit", audited.key).permutation(len(split))
        test = np.zeros(len(split), dtype=bool)
        test[order[: max(1, round(SHARE * len(split)))]] = True
        training = ~test
    rows = np.flatnonzero(test)
    copied = {"exact": np.zeros(len(split), dtype=bool), "near": np.zeros(len(split), dtype=bool)}
    for first, second in (("first", "second"), ("second", "first")):
        ours, theirs = audited.pairs[first].to_numpy(), audited.pairs[second].to_numpy()
        leaking = test[ours] & training[theirs]
        exact = (audited.pairs["kind"] == "exact").to_numpy()
        copied["exact"][ours[leaking & exact]] = True
        copied["near"][ours[leaking]] = True
    nearest = _nearest(audited.thumbnails[rows], audited.thumbnails[training])
    right = audited.classes[np.flatnonzero(training)][nearest] == audited.classes[rows]
    return Neighbour(audited.has_official_test(), rows, copied["exact"][rows], copied["near"][rows], right)


def _nearest(test: NDArray[np.uint8], training: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the training image nearest to each test image, the first of equals; integers are exact in float64."""
    x, y = (images.reshape(len(images), -1).astype(np.float64) for images in (test, training))
    squares = (y**2).sum(axis=1)
    found = [
        np.argmin(squares - 2 * (x[start : start + 256] @ y.T), axis=1) for start in range(0, len(x), 256)
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *found])
