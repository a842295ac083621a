"""The committed reference of the demo suite: its tables and figures can be made again, byte for byte."""

from pathlib import Path

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
REFERENCE = ROOT / "results" / "reference" / "demo"


def test_it_is_of_the_demo_as_it_stands_and_small():
    assert load_suite(REFERENCE / "suite.json") == resolve_suite([ROOT / "config" / "demo.yaml"], {})
    assert sum(file.stat().st_size for file in REFERENCE.rglob("*") if file.is_file()) < 3_000_000
    assert not [file for file in REFERENCE.rglob("*") if file.suffix in (".png", ".svg", ".npz")]


def test_its_tables_and_figures_are_made_again_to_the_byte(tmp_path):
    reference = read_reference(REFERENCE)
    unfreeze(REFERENCE, tmp_path)
    suite = load_suite(tmp_path / "suite.json")
    layout = read_layout(ROOT / "config" / "tables.yaml")
    write_tables(
        suite, tmp_path, tmp_path / "tables", layout, read_published(ROOT / "config" / "published.yaml")
    )
    write_figures(suite, tmp_path, tmp_path / "figures")
    made = {name: file_digest(tmp_path / name) for name in reference.outputs}
    assert made == reference.outputs
    assert len(made) >= 18 * 3 + 6 * 2
    for file in sorted((REFERENCE / "tables").glob("*.md")):
        assert (tmp_path / "tables" / file.name).read_bytes() == file.read_bytes()
