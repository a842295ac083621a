"""What tables say: above them at most 60 words, below them what is particular to the run; columns in a glossary."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from small_suite import every_block, toy_suite, with_plan, write_every_block, write_toy_splits

from weckd.analysis.registry import TABLES
from weckd.analysis.results import load_run
from weckd.analysis.write_tables import table_file
from weckd.config import SplitSettings, TuningSettings
from weckd.tables.captions import run_note, run_notes, said, tuning_sentence
from weckd.tables.latex import escaped, latex
from weckd.tables.layout import Layout, Selection
from weckd.tables.render import Table, markdown
from weckd.tables.terms import PLAIN, glossary, meaning, terms_of

READING = Path(__file__).parents[2] / "docs" / "reading-the-tables.md"
LONGEST = ("accuracy_at_80", "ece_scaled", "balanced_accuracy", "nll", "brier", "ece", "mcc", "macro_auroc")
RUNS = {
    "as it is": toy_suite(),
    "every block, tuned": every_block(),
    "few seeds": toy_suite(seeds=(1, 2)),
    "quick look": toy_suite(quick_look=True),
    "official": toy_suite(split=SplitSettings(2025, protocol="official")),
    "one data set, classes left out": toy_suite(
        datasets=("toy_two",), exclude_classes={"toy_two": ("maybe",)}
    ),
    "other metrics": with_plan(toy_suite(), metrics=LONGEST),
}


@pytest.fixture(scope="module")
def folders(toy_folder, tmp_path_factory):
    blocks = tmp_path_factory.mktemp("blocks")
    write_every_block(blocks / "predictions")
    write_toy_splits(blocks / "splits")
    return {False: toy_folder, True: blocks}


@pytest.mark.parametrize("suite", RUNS.values(), ids=RUNS)
def test_every_table_says_n_test_and_plan_and_its_columns_are_in_the_glossary(suite, folders):
    run = load_run(suite, folders[suite.tuned])
    names = {*suite.datasets, *suite.methods}
    for table in (table for name in TABLES for table in table_file(name, run).tables):
        assert (
            f"Plan {suite.plan_hash}." in table.caption
        )  # that it is no longer than 60 words, Table asks itself
        headers = [str(name) for name in table.cells.columns]
        unknown = (
            {name.removesuffix(" †") for name in headers if not meaning(table.label, name)} - names - PLAIN
        )
        assert not unknown, table.label
        assert set(table.narrow) <= set(headers)
        assert set(table.terms) <= set(headers)
        if table.narrow:
            assert len(table.narrow) < len(headers)
        missing = [note for note in table.notes if note.startswith("MISSING: ")]
        assert ("MISSING: " in table.caption) == bool(missing)
        assert missing == list(table.notes[: len(missing)])


def test_the_null_of_a_column_is_told_where_that_column_is_printed(toy_folder):
    main, *_ = table_file("main", load_run(toy_suite(), toy_folder)).tables
    column = "gain against full-converged"
    note = f"{column}: the null is a gain of -2 points (non-inferiority)."
    assert note in main.notes
    assert f"\n- {note}\n" in markdown(main)
    assert "the null is a gain of" not in latex(main)  # that prints its narrow form
    chosen = Layout(tables={"main": Selection(columns=("data set", column))})
    assert escaped(note) in latex(main, chosen)


@pytest.mark.parametrize("name", ["across", "modality", "leave-one-out"])
def test_the_null_of_comparisons_against_a_method_is_told_where_there_are_some(name, toy_folder):
    families = toy_suite().analysis.families
    over = tuple(family for family in families if family.kind != "non-inferiority")
    for kept, is_told in ((families, True), (over, False)):
        [table] = table_file(name, load_run(with_plan(toy_suite(), families=kept), toy_folder)).tables
        null = "Against a method the null is a gain of -2 points (non-inferiority)."
        assert (null in table.notes) is is_told


def test_a_caption_of_more_than_60_words_is_refused():
    cells = pd.DataFrame({"what": ["it"]})
    assert Table("Title", "word " * 60, "toy", cells).caption
    with pytest.raises(ValueError, match="toy: a caption of 61 words, 60 at most; say more in notes"):
        Table("Title", "word " * 61, "toy", cells)


def test_what_is_said_above_and_below():
    suite = toy_suite()
    lead, n = "Gains in accuracy, percentage points.", "macro: 2 independent data sets, n not known"
    design = "Two-way random-effects t, seeds x groups; unadjusted 95 % intervals"
    derived = "† derived, in no mean: toy_copy (from toy_three)."
    told = said(suite, lead, n=n, test="p by Holm", notes=("Of this run.", ""), missing=("a", "b", "a"))
    assert told.caption == (
        f"{lead} {n}; k = 5 seeds. {design}; alpha = 0.05, p by Holm. MISSING: 2, named below. Plan 0123456789ab."
    )
    untuned = "No method is tuned: committed settings."
    assert told.notes == ("MISSING: a; b.", "Of this run.", untuned, derived)
    told = said(suite, lead, n=n, test="")
    assert told.caption == f"{lead} {n}; k = 5 seeds. {design}; nothing is tested. Plan 0123456789ab."
    told = said(suite, lead)  # of inputs, which have no test
    assert told.caption == f"{lead} k = 5 seeds. Plan 0123456789ab."
    assert told.notes == (derived,)


def test_few_seeds_and_a_quick_look_are_said_above_and_below():
    told = said(toy_suite(seeds=(1,)), "Gains.", test="p by Holm")
    assert told.caption == "Gains. k = 1 seed. Fewer than 5 seeds: no interval, no p. Plan 0123456789ab."
    assert told.notes[0] == "Fewer than 5 seeds: description only, no interval and no p."
    told = said(toy_suite(quick_look=True), "Gains.", test="p by Holm")
    assert told.caption == (
        "Gains. k = 5 seeds. Two-way random-effects t, seeds x groups; unadjusted 95 % intervals; a quick look, "
        "nothing is tested. Plan 0123456789ab."
    )
    assert told.notes[0] == "A quick look, no test of the paper's claims."


def test_notes_and_where_columns_are_explained_stand_below_the_table():
    cells = pd.DataFrame({"gain over single": ["1"]})
    table = Table(
        "Title",
        "Said. MISSING: 1, named below.",
        "toy",
        cells,
        notes=("MISSING: a.", "Of this run."),
        terms=terms_of("toy", cells.columns),
    )
    assert markdown(table).endswith(
        "Said. **MISSING: 1, named below.**\n\n| gain over single   |\n|:-------------------|\n"
        "| 1                  |\n\n- **MISSING: a.**\n- Of this run.\n- Columns: docs/reading-the-tables.md.\n"
    )


def test_what_is_said_of_one_table_goes_before_what_is_said_of_all():
    assert meaning("metrics-gains", "p, over single").startswith("that there is no gain, adjusted; secondary")
    assert meaning("main-labels", "p, pooled over single").startswith("adjusted in its family")
    assert meaning("main", "nothing of the kind") == ""


def test_the_document_has_the_glossary():
    assert glossary() in READING.read_text(encoding="utf-8")


def test_classes_left_out_are_named():
    suite = toy_suite(
        datasets=("toy_two",), exclude_classes={"toy_two": ("maybe", "rare"), "not_in_the_suite": ("x",)}
    )
    assert run_notes(suite) == ["Classes left out: toy_two: maybe, rare."]


def test_who_is_tuned_is_said():
    assert tuning_sentence(toy_suite()) == "No method is tuned: committed settings."
    assert tuning_sentence(every_block()) == (
        "Tuned: all methods but majority and permuted, 16 trials each on every data set, "
        "scored on validation images of seed 1001, the committed settings and the 3 best others also on seed 1002."
    )
    short = every_block(methods=("weckd",), tuning=TuningSettings(2, (7, 8, 9), 4, 0.5))
    assert tuning_sentence(short) == (
        "Tuned: all methods, 2 trials each on every data set at 50 % of the run's steps, scored on validation "
        "images of seed 7, the committed settings and the 1 best other also on seeds 8, 9."
    )
    narrowed = every_block(methods=("weckd", "full-converged"), tuning=TuningSettings(4, (7,)))
    assert tuning_sentence(narrowed) == (
        "Tuned: all methods, 4 trials each on every data set, scored on validation images of seed 7."
    )


def test_a_plan_that_was_changed_since_training_is_named_under_every_table_and_figure():
    suite = replace(toy_suite(datasets=("toy_two",)), trained_under={"": 2, "feedfeedfeed": 5})
    assert run_notes(suite) == [
        "Plan 0123456789ab; 2 of 5 cells trained under a plan that is not recorded; trained under feedfeedfeed, before "
        "it was changed."
    ]
    assert "plan 0123456789ab (trained under one that is not recorded and feedfeedfeed)" in run_note(suite)


def test_official_test_parts_are_named_under_every_table_and_figure():
    suite = toy_suite(datasets=("toy_two",), split=SplitSettings(2025, protocol="official"))
    assert run_notes(suite) == [
        "Official test parts: test images may have copies among the images for training (the table of splits counts "
        "them)."
    ]
    assert run_note(suite).endswith("; official test parts, copies in training included")
    assert "official" not in run_note(toy_suite())


def test_small_copies_are_named_under_every_table_and_figure():
    suite = toy_suite(datasets=("toy_two",))
    facts = suite.facts["toy_two"]
    suite = replace(
        suite, facts={**suite.facts, "toy_two": replace(facts, title="Toys, small copy at 64 px")}
    )
    assert run_notes(suite) == ["Small copies, not the data sets themselves: toy_two."]
    assert run_note(suite).endswith("; small copies, not the data sets themselves: toy_two")
    assert "small" not in run_note(toy_suite())
