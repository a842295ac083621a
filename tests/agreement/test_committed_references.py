"""The committed references: their tables and figures can be made again, byte for byte."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from weckd.agreement.freeze import unfreeze
from weckd.agreement.reference import read_reference
from weckd.analysis.figures.write import write_figures
from weckd.analysis.published import read_published
from weckd.analysis.tables.layout import read_layout
from weckd.analysis.tables.write import write_tables
from weckd.config import load_suite
from weckd.files import file_digest
from weckd.suite_file import resolve_suite

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "results" / "reference"
of_each = pytest.mark.parametrize("name", ["demo", "real-small"])


@of_each
def test_it_is_of_the_suite_as_it_stands_and_small(name):
    folder = REFERENCES / name
    suite = resolve_suite([ROOT / "config" / f"{name}.yaml"], {})
    assert replace(load_suite(folder / "suite.json"), data_root=None) == suite
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 3_000_000


@of_each
def test_it_holds_no_image(name, tmp_path):
    # The images' licences are not ours: neither files of images nor arrays of pixels.
    folder = REFERENCES / name
    assert {file.suffix for file in folder.rglob("*") if file.is_file()} == {
        ".parquet",
        ".xz",
        ".json",
        ".md",
    }
    unfreeze(folder, tmp_path)
    unpacked = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.suffix for file in unpacked} == {".parquet", ".csv", ".json", ".md", ".tex", ".npz"}
    for file in tmp_path.glob("attention/*.npz"):
        with np.load(file, allow_pickle=False) as arrays:
            assert not [array for array in arrays.files if "images" in array or "maps" in array]


@of_each
def test_its_tables_and_figures_are_made_again_to_the_byte(name, tmp_path):
    folder = REFERENCES / name
    reference = read_reference(folder)
    unfreeze(folder, tmp_path)
    suite = load_suite(tmp_path / "suite.json")
    layout = read_layout(ROOT / "config" / "tables.yaml")
    write_tables(
        suite, tmp_path, tmp_path / "tables", layout, read_published(ROOT / "config" / "published.yaml")
    )
    write_figures(suite, tmp_path, tmp_path / "figures")
    made = {name: file_digest(tmp_path / name) for name in reference.outputs}
    assert made == reference.outputs
    assert len(made) >= 18 * 3 + 6 * 2
    for file in sorted((folder / "tables").glob("*.md")):
        assert (tmp_path / "tables" / file.name).read_bytes() == file.read_bytes()
