"""What a run cannot show, row by row, from suites and a table of variances made by hand."""

from dataclasses import replace

import pytest
from engine import REPOSITORY
from small_suite import toy_suite

from weckd.errors import UserError
from weckd.files import write_text
from weckd.report.limits import limits_block
from weckd.run_files import RunFiles
from weckd.suite_file import resolve_suite

VARIANCES = """dataset,family,reference,min_detectable
toy_three,chain over single,single,9.04
macro,chain over single,single,4.25
macro otoscopy,chain over single,single,6.0
toy_copy,chain over single,single,
macro,chain over controls,pooled,3.0
macro,against all,pooled,3.0
macro,along the chain,slope per stage,1.0
macro,,mine,2.0
"""


def limits(suite, folder):
    """Return what is here and what cannot be shown, by the fact."""
    rows = limits_block(suite, RunFiles(folder)).rows
    return {row[0].text: (row[1].text, row[2].text) for row in rows}


def test_the_facts_of_a_run_are_what_it_cannot_show(tmp_path):
    write_text(tmp_path / "tables" / "variance.csv", VARIANCES)
    suite = toy_suite()
    found = limits(suite, tmp_path)
    assert found.pop("methods of the plan that were not run")[0].startswith(
        "sequential (chain over controls)"
    )
    assert found == {
        "phantoms": ("toy_three, toy_copy", "anything about real images"),
        "independent data sets": (
            "otoscopy 1, microscopy 1",
            "in otoscopy, microscopy: whether a gain is the modality's or that one data set's; what another data set "
            "would give, but for a wide prediction interval",
        ),
        "data sets made of others, or with images of them": (
            "toy_copy (toy_three)",
            "more than those do: they count in no mean",
        ),
        "seeds": (
            "5",
            "what another training pool, or another draw of the test part, would give: all seeds share both",
        ),
        "test parts": (
            "drawn by group, 20 % of a data set",
            "accuracies to be set beside published ones on official parts, where copies may cross",
        ),
        "detectable gains": (
            "mean over data sets: 4.2 over single, 3.0 over pooled; one data set or modality: 6.0 to 9.0",
            "smaller gains reliably: a comparison without a verdict is no sign that two methods are alike",
        ),
        "backbones of the chain and its controls": (
            "test_resnet (random), 32 px",
            "whether it is so with another network or image size",
        ),
        "settings": (
            "committed ones, no method is tuned",
            "whether a comparison would turn with settings chosen for each method",
        ),
    }


def test_gains_that_are_not_known_are_named(tmp_path):
    here, cannot = limits(toy_suite(), tmp_path)["detectable gains"]
    assert (here, cannot) == (
        "not known: tables/variance.csv is missing",
        "how large a gain it would have missed",
    )
    write_text(tmp_path / "tables" / "variance.csv", 'data set\n"none of the plan\'s families, so none"\n')
    assert "detectable gains" not in limits(toy_suite(), tmp_path)  # the table has no families
    write_text(tmp_path / "tables" / "variance.csv", "dataset\nmacro\n")
    with pytest.raises(UserError, match=r"variance\.csv: not the variances of a run \(KeyError"):
        limits(toy_suite(), tmp_path)


def test_other_runs_have_other_limits(tmp_path):
    suite = toy_suite()
    other = limits(
        replace(
            suite, quick_look=True, tuned=True, seeds=(1, 2), split=replace(suite.split, protocol="official")
        ),
        tmp_path,
    )
    assert other["quick look"] == ("yes", "whether any claim of the paper holds: it tests none")
    assert other["seeds"] == ("2", "any verdict or interval: at least 5 seeds are needed")
    assert other["test parts"][0] == "official ones"
    assert other["settings"][0] == f"tuned, {suite.tuning.trials} trials a method and data set"
    assert "phantoms" not in limits(replace(suite, datasets=("toy_two",)), tmp_path)


def test_the_committed_suites_name_what_they_lack(tmp_path):
    demo = limits(resolve_suite([REPOSITORY / "config/demo.yaml"], {}), tmp_path)
    assert demo["small copies"] == ("all 3 data sets", "what the whole data sets would show")
    assert demo["methods of the plan that were not run"][0].startswith(
        "single-long (chain over controls); ensemble (chain over controls); panel-*-100 (chain against supervised)"
    )
    files = [REPOSITORY / "config/paper.yaml", REPOSITORY / "config/paper-panel.yaml"]
    paper = limits(resolve_suite(files, {}), tmp_path)
    assert paper["independent data sets"] == (
        "otoscopy 3, microscopy 1, MRI 1",
        "in microscopy, MRI: whether a gain is the modality's or that one data set's; what another data set would "
        "give, but for a wide prediction interval",
    )
    assert paper["backbones of the chain and its controls"][0] == (
        "tf_efficientnet_lite0 (imagenet), 224 px; 6 networks in the panel, which has no chain"
    )
