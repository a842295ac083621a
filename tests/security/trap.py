"""Files that run something where they are read carelessly: they make a folder."""

import io
import os
import pickle
import zipfile

import numpy as np


class Trap:
    """Unpickling one makes the folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def bare_pickle(folder):
    return pickle.dumps(Trap(folder), protocol=2)


def object_array(folder):
    """Return an .npy file of one object."""
    stream = io.BytesIO()
    np.save(stream, np.array([Trap(folder)], dtype=object), allow_pickle=True)
    return stream.getvalue()


def archive(arrays, folder, name):
    """Return an .npz file of arrays in which the named one is a trap."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for key, values in arrays.items():
            with made.open(f"{key}.npy", "w") as member:
                np.save(member, values, allow_pickle=False)
        made.writestr(f"{name}.npy", object_array(folder))
    return stream.getvalue()


def torch_file(folder):
    """Return a file as torch.save writes one."""
    import torch

    stream = io.BytesIO()
    torch.save({"weight": Trap(folder)}, stream)
    return stream.getvalue()


def tagged(folder):
    """Return YAML whose only value is a call."""
    return f"suite: !!python/object/apply:os.mkdir ['{folder}']\n"
