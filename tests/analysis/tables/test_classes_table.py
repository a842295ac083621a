import dataclasses

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from small_suite import SEEDS
from wide_suite import GOLDEN, cells_of, only, text_of, wide_frame, wide_suite

from weckd.analysis.comparisons import shown_methods
from weckd.analysis.results import load_run
from weckd.analysis.sheets.confusion import confusion_table
from weckd.analysis.sheets.methods import classes_table
from weckd.tables.cells import Name


def test_golden_text(wide):
    assert text_of(classes_table(wide)) == (GOLDEN / "classes.md").read_text(encoding="utf-8")


def test_the_frame_has_a_row_a_class_method_and_score(wide):
    frame = classes_table(wide).frame
    assert len(frame) == (3 + 2 + 3) * 4 * 3
    assert ",".join(frame.columns) == (
        "suite,phantom,dataset,class,method,stage,metric,k,n_images,n_groups,unit,estimate,ci_low,ci_high,se,df,missing,"
        "plan_hash"
    )
    assert frame.groupby("dataset")["phantom"].first().to_dict() == {
        "toy_copy": True,
        "toy_three": True,
        "toy_two": False,
    }


def test_scores_against_scikit_learn(wide):
    values = []
    for seed in SEEDS:
        frame = wide_frame("toy_three", seed)
        frame = frame[(frame["split"] == "test") & (frame["method"] == "weckd") & (frame["stage"] == 3)]
        predicted = frame.filter(regex=r"^p_\d").to_numpy().argmax(axis=1)
        values.append(precision_recall_fscore_support(frame["y"], predicted, zero_division=0)[:3])
    precision, recall, f1 = np.mean(values, axis=0)
    found = classes_table(wide).frame
    found = found[(found["dataset"] == "toy_three") & (found["method"] == "weckd")]
    for metric, expected in (("sensitivity", recall), ("precision", precision), ("F1", f1)):
        rows = found[found["metric"] == metric]
        assert rows["class"].tolist() == ["a", "b", "c"]
        assert rows["estimate"].tolist() == pytest.approx(100 * expected)


def test_sizes_of_classes_by_hand(wide):
    # y: 0, 1, 2 in turn up to image 18, then 0; groups: threes up to image 9, twos up to 15, then alone.
    lines = cells_of(classes_table(wide).tables[0])
    assert {line["class"]: line["images (groups)"] for line in lines} == {
        "a": "12 (12)",
        "b": "6 (6)",
        "c": "6 (6)",
    }
    assert "Smallest class: b, 6 test images." in classes_table(wide).tables[0].notes


def test_a_data_set_without_files(wide_folder, tmp_path):
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "toy_three").symlink_to(wide_folder / "predictions" / "toy_three")
    evaluation = load_run(dataclasses.replace(wide_suite(), datasets=("toy_three", "toy_two")), tmp_path)
    table = classes_table(evaluation).tables[1]
    assert cells_of(table)[0] == {
        "class": "no",
        "images (groups)": "missing",
        "method": "weckd",
        "sensitivity": "missing",
        "precision": "missing",
        "F1": "missing",
    }
    assert "n not known; k = 5 seeds." in table.caption
    assert "MISSING: 1, named below." in table.caption
    assert "MISSING: toy_two seeds 1, 2, 3, 4, 5." in table.notes
    assert "Smallest class" not in " ".join(table.notes)


def test_few_seeds_print_no_interval(few):
    assert "±" not in "".join(
        value for line in cells_of(classes_table(few).tables[0]) for value in line.values()
    )
    assert classes_table(few).frame["ci_low"].isna().all()


def test_none_of_the_methods(tmp_path, wide, unplanned):
    assert shown_methods(wide.suite) == ("weckd", "single", "pooled", "full-converged")
    assert shown_methods(unplanned.suite) == (
        "single",
        "pooled",
        "full-converged",
    )
    nothing = classes_table(only(tmp_path, "permuted", "majority"))
    assert cells_of(nothing.tables[0]) == [
        {"class": "neither a chain nor single, pooled, full-converged is in this run; add one of them"}
    ]


def test_confusion_counts_each_seed_as_scikit_learn_does_and_shows_their_sum(wide):
    file = confusion_table(wide)
    found = file.frame.query("dataset == 'toy_three' and method == 'weckd'").pivot_table(
        "n_images", ["seed", "true"], "predicted", aggfunc="sum"
    )
    total = 0
    for seed in SEEDS:
        frame = wide_frame("toy_three", seed)
        frame = frame[(frame["split"] == "test") & (frame["method"] == "weckd") & (frame["stage"] == 3)]
        known = confusion_matrix(frame["y"], frame.filter(regex=r"^p_\d").to_numpy().argmax(axis=1))
        assert found.loc[seed].to_numpy().tolist() == known.tolist()
        total = total + known
    cells = file.tables[0].cells
    shown = cells[cells["method"] == Name("weckd")]
    assert shown[["as a", "as b", "as c"]].astype(int).to_numpy().tolist() == total.tolist()
    assert ",".join(file.frame.columns) == (
        "suite,phantom,dataset,method,stage,seed,true,predicted,n_images,missing,plan_hash"
    )


def test_confusion_of_a_method_that_is_missing_has_no_counts(wide):
    run = dataclasses.replace(wide, suite=dataclasses.replace(wide.suite, methods=("permuted",)))
    (table,) = confusion_table(run).tables
    assert table.cells.to_dict("list") == {
        "true class": ["neither a chain nor single, pooled, full-converged is in this run; add one of them"]
    }
