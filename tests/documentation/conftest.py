"""The checkout that the documents' commands run in."""

import shutil

import pytest
from checkout import draw_images, make_checkout, make_small
from how_run import IMAGES, SMALL_SUITES


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Return one checkout for all commands of a module: what one has trained, another finds."""
    made = make_checkout(tmp_path_factory.mktemp("documentation") / "checkout")
    shutil.copytree(made.folder / "config", made.folder / "committed")
    make_small(made.folder, SMALL_SUITES)
    draw_images(made.folder / "images", IMAGES)
    return made
