import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score
from small_suite import SEEDS
from wide_suite import GOLDEN, cells_of, changed_run, text_of, wide_frame

from weckd.analysis.sheets.methods import metrics_table


def secondary_gains(run):
    """Return the printed cells of the table of gains on secondary metrics."""
    return cells_of(next(table for table in metrics_table(run).tables if table.label == "metrics-gains"))


def test_golden_text(wide):
    assert text_of(metrics_table(wide)) == (GOLDEN / "metrics.md").read_text(encoding="utf-8")


def test_the_frame_has_every_metric_but_the_primary(wide):
    frame = metrics_table(wide).frame
    assert list(dict.fromkeys(frame["metric"])) == list(wide.suite.analysis.metrics[1:])
    assert set(frame["dataset"]) == {"toy_three", "toy_two", "toy_copy", "macro"}
    assert set(frame[frame["metric"] == "nll"]["unit"]) == {"nats"}
    gap = frame[
        (frame["metric"] == "ece_scaled") & (frame["method"] == "single") & (frame["dataset"] == "toy_two")
    ]
    assert gap["missing"].tolist() == ["toy_two seed 4 single stage 1 validation predictions"]
    assert gap["mean"].isna().all()


@pytest.mark.parametrize(
    ("header", "score"),
    [
        ("balanced accuracy", balanced_accuracy_score),
        ("macro-F1", lambda y, predicted: f1_score(y, predicted, average="macro")),
    ],
)
def test_a_macro_mean_against_scikit_learn(wide, header, score):
    values = []
    for dataset in ("toy_three", "toy_two"):
        for seed in SEEDS:
            frame = wide_frame(dataset, seed)
            frame = frame[(frame["split"] == "test") & (frame["method"] == "weckd") & (frame["stage"] == 3)]
            predicted = frame.filter(regex=r"^p_\d").dropna(axis="columns").to_numpy().argmax(axis=1)
            values.append(score(frame["y"], predicted))
    line = next(x for x in cells_of(metrics_table(wide).tables[0]) if x["method"] == "weckd")
    assert line[header].partition(" ")[0] == f"{100 * np.mean(values):.1f}"


def test_gains_are_the_secondary_rows(wide):
    line = next(x for x in secondary_gains(wide) if x["metric"] == "Brier")
    rows = [
        gain
        for gain in wide.gains
        if gain.metric == "brier" and gain.dataset == "macro" and gain.comparison.reference == "single"
    ]
    gain = next(gain for gain in rows if gain.comparison.method == "weckd")
    assert gain.correction.startswith("Benjamini-Hochberg")
    assert line["better"] == "lower"
    assert line["over single"].partition(" ")[0] == f"{100 * gain.estimate.study.estimate:+.1f}"
    assert line["p, over single"] == f"{gain.p_adjusted:.3f}".removeprefix("0")


def test_a_plan_with_the_primary_metric_alone(chain_and_single):
    nothing = metrics_table(chain_and_single)
    assert cells_of(nothing.tables[0]) == [
        {"method": "the plan has no metric besides the primary; its metrics may name more"}
    ]


def test_no_chain_leaves_the_levels(unplanned):
    file = metrics_table(unplanned)
    assert len(file.tables) == 4
    assert cells_of(file.tables[-1]) == [
        {"metric": "no gain of a chain in this run; add weckd and one of single, pooled, full-converged"}
    ]


def test_identical_predictions_have_no_p(tmp_path):
    def chain_as_single(frame):
        last = frame[(frame["method"] == "weckd") & (frame["stage"] == 3)].assign(method="single", stage=1)
        return pd.concat([frame[frame["method"] == "weckd"], last], ignore_index=True)

    methods = ("weckd", "single")
    lines = secondary_gains(changed_run(tmp_path, chain_as_single, methods=methods))
    assert {(line["over single"], line["p, over single"]) for line in lines} == {
        ("+0.0 [+0.0, +0.0]", "identical"),
        ("+0.000 [+0.000, +0.000]", "identical"),  # NLL
    }


def test_few_seeds_only_describe(few):
    file = metrics_table(few)
    assert "±" not in "".join(value for line in cells_of(file.tables[0]) for value in line.values())
    assert {line["p, over single"] for line in secondary_gains(few)} == {"descriptive only (k < 5)"}
    both = {
        p for line in cells_of(file.tables[-1]) for p in (line["p, accuracy"], line["p, balanced accuracy"])
    }
    assert both == {"descriptive only (k < 5)", "missing", "identical"}


def test_cells_without_a_temperature_are_named(tmp_path):
    def change(frame):
        frame = frame.copy()
        chosen = (
            (frame["split"] == "validation") & (frame["method"] == "single") & (frame["seed"].isin((2, 5)))
        )
        for label in range(2):
            frame.loc[chosen, f"p_{label}"] = np.where(frame.loc[chosen, "y"] == label, 0.75, 0.25)
        return frame

    run = changed_run(tmp_path, change, datasets=("toy_two",))
    told = (
        "Every validation image is right, so that no temperature can be chosen and it is 0.5: "
        "toy_two single seeds 2, 5."
    )
    assert [told in table.notes for table in metrics_table(run).tables].count(True) == 1
