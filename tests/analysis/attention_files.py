"""Hand-made files of attention maps for the small suite: toy_three whole, toy_two with gaps, toy_copy without one."""

import numpy as np

from weckd.files import sums_of, whole_file, write_sums
from weckd.run_files import RunFiles

GROUPS = {"toy_three": [0, 0, 1, 2, 3, 4], "toy_two": [0, 1, 2, 3]}


def toy_arrays(dataset):
    """Return what a file holds.

    Sharpness of M1 is 0.1, 0.2 .. for the images; M2 adds 0.1, M3 0.25 + 0.01 * (seed - 3). Agreement is 0.9 of M2,
    0.93 of M3. On toy_two M2 and M3 diverged with seeds 2 and 4. Maps are diagonal, brighter with each model.
    """
    n, seeds = len(GROUPS[dataset]), np.arange(1, 6)
    classes = 3 if dataset == "toy_three" else 2
    base = 0.1 * np.arange(1, n + 1)
    added = np.stack([0 * seeds, 0 * seeds + 0.1, 0.25 + 0.01 * (seeds - 3)], axis=1)
    sharpness = base + added[:, :, None]
    agreement = np.broadcast_to(np.array([np.nan, 0.9, 0.93])[:, None], sharpness.shape).copy()
    diverged = np.zeros((5, 3), dtype=bool)
    if dataset == "toy_two":
        diverged[[1, 3], 1:] = True
        sharpness[diverged], agreement[diverged] = np.nan, np.nan
    images = np.zeros((classes, 8, 8, 3), dtype=np.uint8)
    images[:, 2:6, 2:6] = 200
    maps = np.stack([np.tile(np.eye(4) * number / 6, (classes, 1, 1)) for number in (1, 2, 3)])
    return {
        "dataset": np.array(dataset),
        "method": np.array("weckd"),
        "seeds": seeds,
        "image_ids": np.array([f"image{i}" for i in range(n)]),
        "group_ids": np.array([f"group{g}" for g in GROUPS[dataset]]),
        "y": np.arange(n) % classes,
        "map_size": np.array([4, 4]),
        "diverged": diverged,
        "sharpness": sharpness.astype(np.float32),
        "agreement": agreement.astype(np.float32),
        "example_rows": np.arange(classes),
        "example_images": images,
        "example_maps": maps.astype(np.float32),
    }


def write_arrays(folder, arrays, name=None):
    """Write arrays as the file of a data set of a run; return the file."""
    file = RunFiles(folder).attention(name or str(arrays["dataset"]))
    with whole_file(file) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)
    write_sums(sums_of(file), [file])
    return file


def write_toy_attention(folder):
    """Write the files of the small suite."""
    for dataset in GROUPS:
        write_arrays(folder, toy_arrays(dataset))
