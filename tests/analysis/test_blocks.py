"""Tables of a tuned suite with methods of every block: who stands where, and what the captions say of it."""

import re
import typing

import pandas as pd
import pytest
from small_suite import every_block, toy_suite, write_every_block, write_toy_splits

from weckd.analysis.imported import IMPORTED
from weckd.analysis.method_groups import GROUPS, method_groups
from weckd.analysis.write_tables import write_tables
from weckd.methods.fits import Role

TEST_SET = ["test images (groups)", "majority class", "chance", "smallest class"]
ROWS = {
    "labels of the chain": ["weckd", "single"],
    "with unlabelled images": ["fixmatch"],
    "supervised panel": ["panel-resnet50-100", "panel-resnet50-30"],
    "bars and checks": ["majority", "full-converged", "permuted"],
}


def sections(text):
    """Return what is said, and the rows (lists of cells, the header first), of each table of a Markdown file."""
    found = {}
    for section in text.split("### ")[1:]:
        title, caption, table, below = section.strip().split("\n\n")
        lines = [line.strip("|").split("|") for line in table.splitlines() if not line.startswith("|:")]
        found[title] = (f"{caption}\n\n{below}", [[cell.strip() for cell in line] for line in lines])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blocks")
    write_every_block(folder / "predictions")
    write_toy_splits(folder / "splits")
    write_tables(every_block(), folder, folder / "tables")
    return folder


@pytest.fixture(scope="module")
def tables(folder):
    return {
        name: sections((folder / "tables" / f"{name}.md").read_text())
        for name in ("accuracy", "checks", "gains")
    }


def test_every_role_stands_in_one_block():
    roles = [role for block in GROUPS for role in block.roles]
    assert sorted(roles) == sorted([*typing.get_args(Role), IMPORTED])


def test_methods_keep_the_suites_order_within_their_block():
    found = {block.title: list(methods) for block, methods in method_groups(every_block()).items()}
    assert list(found.items()) == list(ROWS.items())
    found = {block.title: list(methods) for block, methods in method_groups(toy_suite()).items()}
    assert found == {
        "labels of the chain": ["weckd", "single", "pooled", "one-step"],
        "bars and checks": ["full-converged", "permuted", "majority"],
    }


def test_each_block_is_a_table_of_its_own(tables):
    found = {title: [row[0] for row in rows] for title, (_, rows) in tables["accuracy"].items()}
    assert list(found.items()) == [
        (f"{metric}, {block}, suite toy", ["method", *TEST_SET, *methods])
        for metric in ("Accuracy", "Balanced accuracy")
        for block, methods in ROWS.items()
    ]
    _, rows = tables["accuracy"]["Accuracy, supervised panel, suite toy"]
    assert rows == [
        ["method", "toy_three", "toy_two", "macro of 2"],
        ["test images (groups)", "24 (15)", "24 (15)", "48 (30)"],
        ["majority class", "50.0", "62.5", "56.2"],
        ["chance", "33.3", "50.0", "41.7"],
        ["smallest class", "b, 6", "yes, 9", "b, 6"],
        ["panel-resnet50-100", "100.0 ± 0.0", "100.0 ± 0.0", "100.0 ± 0.0"],
        ["panel-resnet50-30", "84.2 ± 7.7", "81.7 ± 4.6", "82.9 ± 4.9"],
    ]


def test_latex_labels_are_those_of_the_blocks(folder):
    text = (folder / "tables" / "accuracy.tex").read_text()
    assert re.findall(r"\\label\{tab:(.*)\}", text) == [
        f"{metric}{block}"
        for metric in ("accuracy", "balanced-accuracy")
        for block in ("", "-unlabelled", "-panel", "-bars")
    ]


@pytest.mark.parametrize("left_out", [["fixmatch"], ["panel-resnet50-100", "panel-resnet50-30"]])
def test_a_block_without_methods_is_no_table(left_out, tmp_path):
    methods = tuple(method for method in every_block().methods if method not in left_out)
    write_toy_splits(tmp_path / "splits")
    write_tables(every_block(methods=methods), tmp_path, tmp_path)
    titles = sections((tmp_path / "accuracy.md").read_text())
    kept = [block for block, members in ROWS.items() if members != left_out]
    assert list(titles) == [
        f"{metric}, {block}, suite toy" for metric in ("Accuracy", "Balanced accuracy") for block in kept
    ]
    assert len(kept) == 3


def test_captions_say_why_a_block_stands_apart(tables):
    note_of = {
        "labels of the chain": "These methods learn from the labelled subsets alone; other methods have tables of "
        "their own.",
        "with unlabelled images": "A block apart: these methods also see, without labels, the rest of the training "
        "part, images that no method on the labels of the chain sees.",
        "supervised panel": "A block apart: these methods train networks of the panel, which may be better than the "
        "chain's, by cross-entropy alone on a share of the labels (the name's last number, percent); rows of less than "
        "100 % have the equal budget, as many steps as the chain, rows of 100 % as many as full-converged, outside it.",
        "bars and checks": "A block apart: bars learn from all labels of the training part, full-converged also for "
        "more steps than the equal budget; checks and floors show what is reached without a link between image and "
        "label.",
    }
    captions = {title: caption for title, (caption, _) in tables["accuracy"].items()}
    for block, note in note_of.items():
        assert captions[f"Accuracy, {block}, suite toy"] == (
            "**Phantom images drawn by this suite: says nothing about the paper's data.** Accuracy of each method's "
            "last stage, percent ± half-width of its interval; in no family. macro: 2 independent data sets, n = 48 "
            "test images in 30 groups; k = 5 seeds. Two-way random-effects t, seeds x groups; unadjusted 95 % "
            "intervals; nothing is tested. Plan 0123456789ab.\n\n"
            f"- {note}\n"
            "- Tuned: all methods but majority and permuted, 16 trials each on every data set, scored on validation "
            "images of seed 1001, the committed settings and the 3 best others also on seed 1002.\n"
            "- majority class: share of the test images that are of their most frequent class, percent.\n"
            "- chance: one divided by the number of classes, percent.\n"
            "- smallest class: of the test images, and how many it has.\n"
            "- Columns: docs/reading-the-tables.md."
        )


def test_captions_of_gains_say_who_is_tuned(tables):
    for caption, _ in tables["gains"].values():
        assert (
            "- Tuned: all methods but majority and permuted, 16 trials each on every data set, scored on validation "
            "images of seed 1001, the committed settings and the 3 best others also on seed 1002.\n"
        ) in caption
    assert len(tables["gains"]) == 5  # the families, and each that is decided on the mean over all


def test_the_panel_is_compared_with_the_bar_and_with_single(folder):
    frame = pd.read_csv(folder / "tables" / "gains.csv")
    panel = frame[frame["method"].str.startswith("panel-")]
    assert list(dict.fromkeys(zip(panel["method"], panel["reference"], strict=True))) == [
        ("panel-resnet50-100", "full-converged"),
        ("panel-resnet50-30", "full-converged"),
        ("panel-resnet50-100", "single"),
        ("panel-resnet50-30", "single"),
    ]
    assert set(panel["family"]) == {"exploratory"}


def test_the_panel_is_not_checked_against_the_bar(tables):
    caption, rows = tables["checks"]["Checks, suite toy"]
    subjects = [row[1] for row in rows[1:]]
    assert subjects == ["permuted", "majority", "fixmatch", "weckd", "single", "permuted"]
    assert (
        "unadjusted 95 % (labels: 99 %) intervals; alpha = 0.05, Holm over all methods but the panel's against the "
        "supervised bar; the label check is alone."
    ) in caption
    assert "- The panel's networks may be better than the bar's.\n" in caption
