"""Two data sets of the user's own that share images, which nobody declared: the run says so, declaring mends it."""

import json
import shutil

import numpy as np
import pytest
from engine import describe, snakemake, write_noise
from PIL import Image

from weckd.runs import run_summary

pytestmark = pytest.mark.workflow
IMAGES, SHARED = 24, 6
"""Images of each class of the larger set, and how many of them the smaller one has too."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the working folder of a finished run, the catalogue, the words of its suite, and what it printed."""
    place = tmp_path_factory.mktemp("shared")
    folder, root = place / "work", place / "images"
    folder.mkdir()
    generator = np.random.default_rng(3)
    for key, count in (("large", IMAGES), ("small", IMAGES - 4)):
        for shade, name in ((40, "dark"), (130, "light")):
            write_noise(root / key / name, count, shade, generator)
    for name in ("dark", "light"):
        for number in range(SHARED):
            shutil.copy(root / "large" / name / f"{number:02d}.png", root / "small" / name)
    catalogue = place / "mine.yaml"
    entries = [describe(root / key, "CC0") for key in ("large", "small")]
    catalogue.write_text("\n".join(entries))
    changes = {
        "datasets": ["small", "large"],
        "methods": ["weckd", "single"],
        "seeds": [1],
        "data_root": str(root),
        "catalogue": str(catalogue),
    }
    words = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    done = snakemake(folder, "--cores", "2", "--config", *words)
    assert done.returncode == 0, done.stdout[-5000:]
    return folder, catalogue, words, done.stdout


SENTENCE = (
    "not independent, in no mean: small (shares images with large, undeclared); the larger of two counts. "
    "Say in your catalogue which was made of which, by derived_from."
)


def test_the_finding_reaches_terminal_tables_figures_and_report(made):
    folder, _, _, printed = made
    [run] = (folder / "results").glob("tiny+*")
    assert f" data sets {SENTENCE} " in " ".join(printed.split())
    assert f" data sets {SENTENCE} " in " ".join(run_summary(run).split())
    main = (run / "tables" / "main.md").read_text(encoding="utf-8")
    assert "| small ‡ " in main
    assert "macro of" not in main  # one is left, which takes the mean's place
    assert f"- ‡ {SENTENCE}\n" in main
    figure = (run / "figures" / "chain.svg").read_text(encoding="utf-8")
    assert "‡ shares images with a larger data set, in no mean" in figure
    page = (run / "report.html").read_text(encoding="utf-8")
    assert f"Data sets {SENTENCE}" in page
    assert "<td>CC0</td>" in page  # the licence of the user's own entry
    crate = (run / "ro-crate-metadata.json").read_text(encoding="utf-8")
    assert '"description": "Source: CC0."' in crate


def test_an_image_that_changes_while_the_prepared_ones_are_gone_is_noticed(made):
    folder, _, words, _ = made
    arguments = ("--cores", "2", "--config", *words)
    shutil.rmtree(folder / "results/data")
    done = snakemake(folder, *arguments)
    assert "Nothing to be done" in done.stdout, done.stdout
    file = folder.parent / "images/large/dark/23.png"
    Image.fromarray(np.full((40, 40, 3), 77, dtype=np.uint8)).save(file)
    done = snakemake(folder, "-n", *arguments)
    assert done.returncode == 0, done.stdout[-5000:]
    assert f"changed since it was read or made: {file}\n" in done.stdout
    assert [done.stdout.count(f"\nrule {rule}:") for rule in ("prepare", "train", "tables")] == [2, 2, 1]


def test_declaring_it_mends_it(made):
    folder, catalogue, words, _ = made
    before, after = catalogue.read_text().split("\nsmall:\n")
    catalogue.write_text(f"{before}\nsmall:\n  derived_from: [large]\n{after}")
    done = snakemake(folder, "--cores", "2", "--until", "tables", "--config", *words)
    assert done.returncode == 0, done.stdout[-5000:]
    # With the changed image of the test before.
    assert [done.stdout.count(f"(Rule: {rule})") for rule in ("prepare", "train", "tables")] == [2, 2, 1]
    run = max((folder / "results").glob("tiny+*"), key=lambda path: path.stat().st_mtime)
    assert "data sets    not independent" not in run_summary(run)
    main = (run / "tables" / "main.md").read_text(encoding="utf-8")
    assert "† derived, in no mean: small (from large)." in main
    assert "‡" not in main
