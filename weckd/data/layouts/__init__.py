"""How data sets lie in their sources: one module a layout, each from files to images."""

from pathlib import Path
from typing import TYPE_CHECKING

from weckd.data.catalogue import Dataset
from weckd.errors import UserError

if TYPE_CHECKING:
    from weckd.data.layouts.source import Listing

DECODED_SIDE = 336
"""Sides that a JPEG keeps when it is decoded smaller: one and a half times the largest image size of our suites (224),
so that thumbnails, and the clusters found by them, do not depend on the image size."""


def list_sources(dataset: Dataset, folder: Path, image_size: int) -> "Listing":
    """Return the sources of a real data set that lies in `folder`, checked as far as can be without reading images.

    Raises:
        UserError: the folder is missing, or not laid out as the catalogue says.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {dataset.title} belongs there ({dataset.source})")
    # Imported here: the workflow, which asks where data lie, need not wait for what decodes them.
    if dataset.layout == "medmnist-npz":
        from weckd.data.layouts.medmnist import list_medmnist  # noqa: PLC0415

        return list_medmnist(dataset, folder, image_size)
    if dataset.layout == "matlab-v73":
        from weckd.data.layouts.matlab import list_matlab  # noqa: PLC0415

        return list_matlab(dataset, folder)
    from weckd.data.layouts.class_folders import list_class_folders  # noqa: PLC0415

    return list_class_folders(dataset, folder, max(DECODED_SIDE, image_size * 3 // 2))
