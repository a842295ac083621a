"""The committed references: their tables and figures can be made again, byte for byte."""

import re
from urllib.parse import unquote

import numpy as np
import pytest
from references import (
    FILES,
    OFFICIAL,
    PLAN_BEFORE,
    READINGS,
    REFERENCES,
    ROOT,
    STUDIES,
    WITH_REPORT,
)

from weckd.agreement.freeze import unfreeze
from weckd.agreement.reference import read_reference
from weckd.analysis.figures.write import write_figures
from weckd.analysis.leakage import write_leakage
from weckd.analysis.results import read_published
from weckd.analysis.specification import write_specification
from weckd.analysis.write_tables import write_tables
from weckd.config import load_suite
from weckd.files import file_digest
from weckd.suite_file import resolve_suite
from weckd.tables.layout import read_layout

SUITES = {name: resolve_suite(files, {}) for name, files in FILES.items()}
of_each = pytest.mark.parametrize("name", [*SUITES, *STUDIES])


@of_each
def test_it_is_of_the_suite_as_it_stands(name):
    assert load_suite(REFERENCES / name / "suite.json") == {**SUITES, **STUDIES}[name]


@pytest.mark.parametrize(("name", "plan"), PLAN_BEFORE.items())
def test_it_tells_which_plan_was_there_before_the_run(name, plan):
    facts = read_reference(REFERENCES / name)
    assert (facts.plan_before or facts.plan_hash) == plan
    assert facts.plan_before != facts.plan_hash


def test_they_are_small():
    whole = {file.parent.name for file in REFERENCES.glob("*/reference.json")}
    assert whole == {*SUITES, *STUDIES}
    files = [file for file in REFERENCES.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 40_000_000
    # Others have cells of runs that are not finished.
    others = [file for file in files if file.relative_to(REFERENCES).parts[0] not in whole]
    assert all("cells" in file.parts for file in others)


@of_each
def test_it_holds_no_image(name, tmp_path):
    # The images' licences are not ours: neither files of images nor arrays of pixels.
    folder = REFERENCES / name
    assert {file.suffix for file in folder.rglob("*") if file.is_file()} == {
        ".parquet",
        ".xz",
        ".json",
        ".md",
        *([".html"] if name in WITH_REPORT else []),
        *([".csv"] if name not in STUDIES else []),
    }
    unfreeze(folder, tmp_path)
    unpacked = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {file.suffix for file in unpacked} <= {".parquet", ".csv", ".json", ".md", ".tex", ".npz"}
    for file in tmp_path.glob("attention/*.npz"):
        with np.load(file, allow_pickle=False) as arrays:
            assert not [array for array in arrays.files if "images" in array or "maps" in array]


@pytest.mark.parametrize("name", WITH_REPORT)
def test_its_report_shows_drawings_alone(name):
    report = (REFERENCES / name / "report.html").read_text(encoding="utf-8")
    kinds = re.findall(r"data:(image/[^,]+),([^']+)", report)
    assert len(kinds) >= 7
    assert {kind for kind, _ in kinds} == {"image/svg+xml"}
    drawings = [unquote(content) for _, content in kinds]
    assert not [drawing for drawing in drawings if "<image" in drawing or "data:image" in drawing]


# All are drawn by `make reference-check`, through the workflow.
def test_tables_and_figures_of_the_demo_are_made_again_to_the_byte(tmp_path):
    folder = REFERENCES / "demo"
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


def test_the_leak_study_is_made_again_to_the_byte(tmp_path):
    reference = read_reference(REFERENCES / OFFICIAL)
    runs = [tmp_path / name for name in (OFFICIAL, "real-small")]
    for run in runs:
        unfreeze(REFERENCES / run.name, run)
    write_leakage(*(load_suite(run / "suite.json") for run in runs), *runs, tmp_path / "made")
    assert {name: file_digest(tmp_path / "made" / name) for name in reference.outputs} == reference.outputs
    assert {f"tables/leakage.{kind}" for kind in ("csv", "md", "tex")} < set(reference.outputs)


def test_the_readings_are_made_again_to_the_byte(tmp_path):
    reference = read_reference(REFERENCES / READINGS)
    run, beside = (
        tmp_path / READINGS,
        tmp_path / "real-curves",
    )  # of the same data sets: as many shared images
    unfreeze(REFERENCES / READINGS, run)
    unfreeze(REFERENCES / "real-curves", beside)
    published = read_published(ROOT / "config/published.yaml")
    predictions, across = run / "predictions", beside / "audit/across.csv"
    write_specification(load_suite(run / "suite.json"), predictions, run, published, across)
    assert {name: file_digest(run / name) for name in reference.outputs} == reference.outputs
    assert {"tables/readings.csv", "figures/specification.svg"} < set(reference.outputs)
