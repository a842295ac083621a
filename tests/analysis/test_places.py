"""A mean is over two independent data sets or more; what the plan asks of a mean over one is told on that one."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats
from small_suite import CLASSES, SEEDS, SKILL, toy_frame, toy_suite, write_cell, write_toy_splits

from weckd.agreement.freeze import unfreeze
from weckd.analysis.figures.gains import forest_figure, variance_figure
from weckd.analysis.results import load_run
from weckd.analysis.write_tables import write_tables
from weckd.config import load_suite, suite_json
from weckd.files import write_text
from weckd.places import by_modality, means, overall, places, places_tested

REAL = Path(__file__).parents[2] / "results/reference/real-small"
OTOSCOPY = {"toy_three": "otoscopy", "toy_copy": "otoscopy"}
TWO_SETS = OTOSCOPY | {"toy_two": "microscopy"}
METHODS = tuple(name for name in SKILL if name != "one-step")  # it predicts what the chain does


def suite_of(modalities, derived=(), **changes):
    """Return the small suite with these data sets, their modalities, and some of them derived from others."""
    known = toy_suite()
    facts = {
        key: dataclasses.replace(
            known.facts[key], modality=modality, derived_from=("toy_three",) * (key in derived)
        )
        for key, modality in modalities.items()
    }
    return toy_suite(datasets=tuple(modalities), facts=facts, methods=METHODS, **changes)


@pytest.mark.parametrize(
    ("suite", "of_means", "told"),
    [
        (suite_of({"toy_two": "MRI"}), {}, {"": "toy_two", "MRI": "toy_two"}),
        (
            suite_of({"toy_two": "MRI", "toy_three": "otoscopy"}),
            {"macro": ("toy_two", "toy_three")},
            {"": "macro", "MRI": "toy_two", "otoscopy": "toy_three"},
        ),
        (
            suite_of(TWO_SETS),
            {"macro": ("toy_three", "toy_copy", "toy_two"), "macro otoscopy": ("toy_three", "toy_copy")},
            {"": "macro", "otoscopy": "macro otoscopy", "microscopy": "toy_two"},
        ),
        # A mean over a modality that repeats that over all.
        (suite_of(OTOSCOPY), {"macro": ("toy_three", "toy_copy")}, {"": "macro", "otoscopy": "macro"}),
        # A derived data set is in no mean, and a modality of derived ones alone has none.
        (suite_of(OTOSCOPY, ["toy_copy"]), {}, {"": "toy_three", "otoscopy": "toy_three"}),
        (
            suite_of({"toy_three": "otoscopy", "toy_copy": "MRI"}, ["toy_copy"]),
            {},
            {"": "toy_three", "otoscopy": "toy_three"},
        ),
        (suite_of({"toy_copy": "otoscopy"}, ["toy_copy"]), {"macro": ()}, {"": "macro"}),
        # The audit's finding leaves one of two.
        (
            suite_of(OTOSCOPY, undeclared={"toy_three": ("toy_copy",)}),
            {},
            {"": "toy_copy", "otoscopy": "toy_copy"},
        ),
    ],
)
def test_a_mean_is_over_two_or_more_and_over_other_data_sets_than_another(suite, of_means, told):
    assert means(suite) == of_means
    assert {"": overall(suite), **by_modality(suite)} == told
    assert places(suite) == (*suite.datasets, *of_means)
    assert places_tested(suite) == tuple(dict.fromkeys(told.values()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Predictions without gaps, and splits."""
    folder = tmp_path_factory.mktemp("places")
    for dataset in CLASSES:
        for seed in SEEDS:
            frame = toy_frame(dataset, seed)
            write_cell(folder / "predictions", frame[frame["method"] != "one-step"])
    write_toy_splits(folder / "splits")
    return folder


def written(suite, folder, out):
    write_text(folder / "suite.json", suite_json(suite))
    write_tables(suite, folder, out)
    return (
        pd.read_csv(out / "gains.csv", keep_default_na=False)
        .set_index(["reference", "metric", "dataset"])
        .sort_index()
    )


def test_the_only_data_set_of_a_modality_has_the_p_of_its_mean(folder, tmp_path):
    suite = suite_of(TWO_SETS)
    rows = written(suite, folder, tmp_path).query("method == 'weckd' and stage == 3")
    pooled = rows.loc[("pooled", "accuracy")]
    assert pooled[["family", "correction"]].to_dict("index") == {
        "toy_three": {"family": "single data set", "correction": ""},
        "toy_copy": {"family": "single data set", "correction": ""},
        "toy_two": {"family": "each modality over pooled", "correction": "Holm over 2"},
        "macro": {"family": "chain over controls", "correction": "Holm over 1"},
        "macro otoscopy": {"family": "each modality over pooled", "correction": "Holm over 2"},
    }
    assert (
        pooled.loc[["toy_three", "toy_copy"], ["p_adjusted", "verdict"]].to_numpy().tolist()
        == [["", "interval only"]] * 2
    )
    two = pooled.astype({"gain": float, "se": float, "df": float}).loc[["toy_two", "macro otoscopy"]]
    p = 2 * stats.t.sf(abs(two["gain"] / two["se"]), two["df"])
    holm = {0: min(1, 2 * p.min()), 1: max(2 * p.min(), p.max())}
    adjusted = [holm[0] if x == p.min() else holm[1] for x in p]
    assert two["p"].astype(float).tolist() == pytest.approx(p)
    assert two["p_adjusted"].astype(float).tolist() == pytest.approx(adjusted)
    assert set(two["test"]) == {
        "two-way random-effects t, seeds x groups",
        "two-way random-effects t, seeds x groups, mean of 2 independent data sets",
    }
    # What the plan does not decide on its modality is secondary there, as it was on the mean.
    assert rows.loc[("full-converged", "accuracy", "toy_two"), "non_inferiority_family"] == "secondary"
    assert rows.loc[("single", "balanced_accuracy", "toy_two"), "family"] == "secondary"
    main = (tmp_path / "main.md").read_text(encoding="utf-8")
    lines = [[cell.strip() for cell in x.strip("|").split("|")] for x in main.split("\n\n")[2].splitlines()]
    column = lines[0].index("p (Holm), pooled")
    told = {line[0]: line[column] for line in lines[2:]}
    assert [place for place, p in told.items() if p != "-"] == ["toy_two", "macro of 3"]
    modality = (tmp_path / "modality.md").read_text(encoding="utf-8").split("\n\n")[2].splitlines()[0]
    assert [cell.strip() for cell in modality.strip("|").split("|")] == [
        "comparison",
        *("macro otoscopy of 2", "p, macro otoscopy of 2"),
        *("toy_two (microscopy)", "p, toy_two (microscopy)"),
    ]


@pytest.mark.parametrize("modalities", [{"toy_two": "microscopy"}, OTOSCOPY | {"toy_two": "otoscopy"}])
def test_a_comparison_has_one_row_where_means_would_repeat_each_other(folder, tmp_path, modalities):
    """One data set, or one modality: the plan's families on all data sets and on each modality ask the same."""
    suite = suite_of(modalities)
    place = overall(suite)
    rows = written(suite, folder, tmp_path)
    of_single = rows.query("method == 'weckd' and stage == 3").loc[("single", "accuracy")]
    assert set(of_single.index) == {*modalities, place}
    assert of_single.loc[place, ["family", "correction"]].tolist() == ["chain over single", "Holm over 1"]
    assert set(pd.read_csv(tmp_path / "across.csv")["dataset"]) == {place}
    assert "all independent data sets are of one modality" in (tmp_path / "modality.md").read_text(
        encoding="utf-8"
    )
    run = load_run(suite, folder)
    figure = forest_figure(run)
    panels = ["weckd over single", "weckd over pooled", "weckd against full-converged"]
    assert [axis.get_title(loc="left") for axis in figure.axes] == panels
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == (
        [*modalities] if len(modalities) == 1 else [*modalities, "macro of 3", "a new data set"]
    )
    bars = [label.get_text() for label in variance_figure(run).axes[0].get_yticklabels()]
    assert len(bars) == len(set(bars))


def test_a_suite_of_one_data_set_speaks_of_no_mean(folder, tmp_path):
    written(suite_of({"toy_two": "microscopy"}), folder, tmp_path)
    files = [*tmp_path.glob("*.md"), *tmp_path.glob("*.csv")]
    assert [file.name for file in files if "macro" in file.read_text(encoding="utf-8").casefold()] == []
    lines = (tmp_path / "main.md").read_text(encoding="utf-8").splitlines()
    (new,) = (line for line in lines if line.startswith("| a new data set"))
    assert [cell.strip() for cell in new.strip("|").split("|")][6:] == ["one data set", "-"] * 3
    assert pd.read_csv(tmp_path / "across.csv")[["t_over_means", "tau"]].isna().all(axis=None)


# Adjusted p of the committed run's families, from when each modality's mean over one data set was a row of its own.
P_BEFORE = {
    "chain over single": [0.0351609713703],
    "chain over controls": [0.289146643777, 1.0, 1.0, 0.5490578510785, 1.0],
    "chain against supervised": [1.55633173411e-06],
    "chain against all labels": [0.000229827938981],
    "like the chain": [1.0, 1.0, 0.00930772426496, 1.0, 0.234585202274],
    "along the chain": [0.0351609713703] * 2,
    "links of the chain": [0.0351675173184, 0.117159849335],
    "each modality over pooled": [0.143139788485, 0.165635833742, 0.71146167221],
    "each modality over single": [0.681834662422, 0.681834662422, 0.512726184910],
}


def test_families_and_secondary_tests_of_a_real_run_keep_their_p(tmp_path):
    unfreeze(REAL, tmp_path)
    run = load_run(load_suite(tmp_path / "suite.json"), tmp_path)
    decided = [gain for gain in run.planned if gain.decides]
    found = {name: [x.asked.p_adjusted for x in decided if x.comparison.family == name] for name in P_BEFORE}
    assert found == {name: pytest.approx(p, rel=1e-9) for name, p in P_BEFORE.items()}
    places = [gain.dataset for gain in decided if gain.comparison.family == "each modality over pooled"]
    assert places == ["ear_chile", "wbc_zheng", "brain_yesno"]
    (ensemble,) = (
        x for x in run.planned if (x.comparison.reference, x.dataset) == ("ensemble", "brain_yesno")
    )
    assert (ensemble.family, ensemble.correction) == ("secondary", "Benjamini-Hochberg over 461")
    assert ensemble.p_adjusted == pytest.approx(0.61226020915, rel=1e-9)
