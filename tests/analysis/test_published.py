"""The paper's numbers beside ours."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from small_suite import toy_suite, write_scores, write_text

from weckd.analysis.results import Published, load_run, read_published
from weckd.analysis.sheets.claims import published_table
from weckd.cli import main
from weckd.config import suite_json
from weckd.errors import UserError
from weckd.tables.render import markdown

CONFIG = Path(__file__).resolve().parents[2] / "config"
N = 400


@pytest.fixture
def evaluation(tmp_path):
    """The chain is 15 points over single on toy_two (real images), with an interval of 11.5 to 18.5."""
    suite = toy_suite(datasets=("toy_two",), methods=("weckd", "single"))
    write_text(tmp_path / "suite.json", suite_json(suite))
    scores = {
        (name, 1): np.tile(np.arange(N) < right, (5, 1)) for name, right in (("weckd", 360), ("single", 300))
    }
    write_scores(tmp_path / "predictions", "toy_two", scores, np.arange(N) % 2, np.arange(N), 2)
    return load_run(suite, tmp_path)


def rows(evaluation, *published):
    table = published_table(dataclasses.replace(evaluation, published=published)).tables[0]
    lines = markdown(table).split("\n\n")[2].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def number(value, data_set="toy_two", reference="single"):
    return Published("a gain", "weckd", reference, "accuracy", data_set, value, "table 3", "v2")


@pytest.mark.parametrize(
    ("value", "judgement"),
    [
        (23.0, "outside our interval, above"),
        (15.0, "inside our interval"),
        (11.0, "outside our interval, below"),
    ],
)
def test_inside_or_outside_our_interval(evaluation, value, judgement):
    ours = "+15.0 [+11.5, +18.5]"
    expected = ["a gain", "table 3, v2", f"{value:+.1f}", ours, "toy_two", judgement]
    assert rows(evaluation, number(value)) == [expected]


def test_largest_mean_and_what_is_not_there(evaluation):
    found = rows(evaluation, number(15, "largest"), number(15, "macro"), number(15, reference="pooled"))
    assert [row[3:] for row in found] == [
        ["+15.0 [+11.5, +18.5]", "largest: toy_two", "inside our interval"],
        ["+15.0 [+11.5, +18.5]", "toy_two", "inside our interval"],  # the only data set
        ["-", "toy_two", "not in this run"],
    ]
    assert rows(evaluation) == [["no number of the paper is listed; config/published.yaml holds them"]]


def test_phantoms_are_not_comparable(toy_folder):
    evaluation = load_run(toy_suite(), toy_folder)
    (row,) = rows(evaluation, number(23, "toy_three"))
    assert row[3:] == ["+22.5 [+11.8, +33.2]", "toy_three", "not comparable: phantom images"]
    (row,) = rows(evaluation, number(23, "toy_copy"))
    assert row[3:] == ["missing", "toy_copy †", "missing"]


def test_the_file_that_comes_with_the_suite():
    (only,) = read_published(CONFIG / "published.yaml")
    assert (only.value, only.reference, only.data_set, only.where) == (23.0, "single", "largest", "abstract")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "- {name: a}",
            r"published\.yaml: not a valid list of published numbers\n  0.method: is missing\n  0.reference",
        ),
        ("a: b", r"  top level: must be a list, not \{'a': 'b'\}"),
        (
            "- {metric: acuracy}",
            r"  0.metric: must be accuracy, balanced_accuracy, .* or accuracy_at_80, not 'acuracy'",
        ),
        (
            "- {value: '23,0'}",
            r"  0.value: must be a number, not '23,0' \(numbers are written as 10, 0.5 or 1e-3",
        ),
        ("- [", r"published\.yaml: not valid YAML: while parsing a flow node"),
    ],
)
def test_mistakes_are_named(tmp_path, text, message, toy_folder, capsys):
    file = tmp_path / "published.yaml"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        read_published(file)
    options = ["--run", str(toy_folder), "--out", str(tmp_path), "--published", str(file)]
    assert main(["tables", *options]) == 1
    assert "published.yaml: not " in capsys.readouterr().err
