import dataclasses

import numpy as np
import pytest
from small_suite import cell_frame, toy_frame, toy_suite, write_cell, write_predictions

from weckd.analysis.predictions import load_predictions
from weckd.errors import UserError
from weckd.files import file_digest, sums_of, write_sums


@pytest.fixture
def suite():
    """One data set, two seeds."""
    suite = toy_suite(seeds=(1, 2), datasets=("toy_two",))
    return dataclasses.replace(suite, facts={"toy_two": suite.facts["toy_two"]})


def write_both(folder, change=None):
    """Write seeds 1 and 2; `change` mends the frame of seed 2."""
    write_cell(folder, toy_frame("toy_two", 1))
    file = write_cell(folder, toy_frame("toy_two", 2))
    if change is not None:
        write_predictions(file, change(toy_frame("toy_two", 2)))
    return file


def refusal(suite, folder):
    with pytest.raises(UserError) as caught:
        load_predictions(suite, folder)
    return str(caught.value)


def test_arrays(tmp_path, suite):
    write_both(tmp_path, lambda frame: frame.sample(frac=1, random_state=0))  # order of rows does not matter
    loaded = load_predictions(suite, tmp_path)
    data = loaded.datasets["toy_two"]
    assert (data.n_images, data.n_groups, data.n_classes, data.seeds) == (24, 15, 2, (1, 2))
    assert data.y[:4].tolist() == [0, 1, 0, 1]
    sizes = [3] * 3 + [2] * 3 + [1] * 9
    assert data.groups.tolist() == np.repeat(np.arange(15), sizes).tolist()
    assert data.probabilities[("weckd", 3)].shape == (2, 24, 2)
    frame = toy_frame("toy_two", 2).query("method == 'weckd' and stage == 3")
    assert np.array_equal(data.probabilities[("weckd", 3)][1], frame[["p_0", "p_1"]].to_numpy())
    assert data.missing("weckd", 3) == ()
    assert dict(loaded.stages) == dict.fromkeys(suite.methods, 1) | {"weckd": 3, "one-step": 2}


def test_validation_rows_are_not_scored(tmp_path, suite):
    def with_validation(frame):
        frame.loc[frame["image_id"] == "image0023", "split"] = "validation"
        return frame

    write_cell(tmp_path, with_validation(toy_frame("toy_two", 1)))
    write_cell(tmp_path, with_validation(toy_frame("toy_two", 2)))
    assert load_predictions(suite, tmp_path).datasets["toy_two"].n_images == 23


def test_missing_parts_are_named(toy_predictions):
    loaded = load_predictions(toy_suite(), toy_predictions).datasets
    assert loaded["toy_copy"].missing("weckd", 3) == ("toy_copy seed 3",)
    assert loaded["toy_two"].missing("pooled", 1) == ("toy_two seed 2 pooled diverged",)
    assert loaded["toy_two"].missing("weckd", 3) == ()
    assert np.isnan(loaded["toy_two"].probabilities[("pooled", 1)][1]).all()
    assert not np.isnan(loaded["toy_two"].probabilities[("pooled", 1)][[0, 2, 3, 4]]).any()


def test_missing_methods_stages_and_diverged_stages_are_named(tmp_path, suite):
    def without(frame):
        frame.loc[(frame["method"] == "weckd") & (frame["stage"] == 2), "p_0"] = np.nan
        late = (frame["method"] == "weckd") & (frame["stage"] == 3)
        return frame[~late & (frame["method"] != "single")]

    write_both(tmp_path, without)
    data = load_predictions(suite, tmp_path).datasets["toy_two"]
    assert data.missing("single", 1) == ("toy_two seed 2 single",)
    assert data.missing("weckd", 1) == ()
    assert data.missing("weckd", 2) == ("toy_two seed 2 weckd stage 2 diverged",)
    assert data.missing("weckd", 3) == ("toy_two seed 2 weckd stage 3",)
    assert data.missing("sequential", 3) == ("toy_two seeds 1, 2 sequential",)


def test_a_data_set_without_files_is_missing(tmp_path, suite):
    loaded = load_predictions(suite, tmp_path)
    assert loaded.datasets["toy_two"].n_images == 0
    assert loaded.datasets["toy_two"].missing("weckd", 1) == ("toy_two seeds 1, 2",)
    assert loaded.stages["weckd"] == 1


def test_different_images_are_refused(tmp_path, suite):
    file = write_both(
        tmp_path, lambda frame: frame[(frame["image_id"] != "image0005") | (frame["method"] != "single")]
    )
    message = refusal(suite, tmp_path)
    assert message.startswith(f"{file}: method single, stage 1, seed 2: test images differ from those of ")
    assert "seed1.parquet: method full-converged, stage 1, seed 1" in message
    assert "delete both files and run again" in message


@pytest.mark.parametrize(
    ("column", "value", "what"), [("group_id", "group9999", "groups"), ("y", 1, "labels")]
)
def test_different_groups_and_labels_are_refused(tmp_path, suite, column, value, what):
    def changed(frame):
        frame.loc[frame["image_id"] == "image0000", column] = value
        return frame

    write_both(tmp_path, changed)
    assert f"method full-converged, stage 1, seed 2: test {what} differ from those of" in refusal(
        suite, tmp_path
    )


def changed_first_row(column, value):
    def change(frame):
        frame.loc[0, column] = value
        return frame

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda frame: frame.drop(columns="group_id"),
            "columns must be dataset, seed, method, stage, split, image_id, group_id, y, p_0, p_1; "
            "found dataset, seed, method, stage, split, image_id, y, p_0, p_1",
        ),
        (
            lambda frame: frame.assign(p_2=np.float32(0)),
            "found dataset, seed, method, stage, split, image_id, ",
        ),
        (
            changed_first_row("dataset", "toy_three"),
            "column dataset must be toy_two as in the path; found toy_three",
        ),
        (changed_first_row("seed", 7), "column seed must be 2 as in the path; found 7"),
        (
            changed_first_row("method", "weckdd"),
            "method weckdd is not in the suite; its methods: weckd, single, pooled, one-step, full-converged, "
            "permuted, majority",
        ),
        (
            changed_first_row("image_id", "image0001"),
            "method weckd, stage 1, seed 2: test image image0001 is given twice",
        ),
        (
            changed_first_row("p_0", 0.5),
            "method weckd, stage 1, seed 2: probabilities of image image0000 are not a distribution",
        ),
        (
            lambda frame: changed_first_row("p_1", 1.2)(changed_first_row("p_0", -0.2)(frame)),
            "probabilities of image image0000 are not a distribution",
        ),
    ],
)
def test_wrong_files_are_refused(tmp_path, suite, change, message):
    file = write_both(tmp_path, change)
    found = refusal(suite, tmp_path)
    assert found.startswith(f"{file}: ")
    assert message in found
    assert found.endswith("; delete the file and run the suite again")


def test_an_unreadable_file_is_refused(tmp_path, suite):
    file = write_both(tmp_path)
    file.write_bytes(b"PAR1 cut off")
    write_sums(sums_of(file), [file])
    assert refusal(suite, tmp_path).startswith(f"{file}: not a readable parquet file (")


def test_edited_predictions_are_refused(tmp_path, suite):
    file = write_both(tmp_path)
    before = file_digest(file)
    frame = toy_frame("toy_two", 2)
    for label in (0, 1):  # all right
        frame.loc[frame["y"] == label, ["p_0", "p_1"]] = np.float32([1 - label, label])
    frame.to_parquet(file, index=False)
    assert refusal(suite, tmp_path) == (
        f"{file}: edited or damaged, its SHA-256 is {file_digest(file)[:12]}…, seed2.sums.json records "
        f"{before[:12]}…; the same snakemake command makes it again"
    )


def test_predictions_without_their_sum_are_refused(tmp_path, suite):
    file = write_both(tmp_path)
    sums_of(file).unlink()
    assert refusal(suite, tmp_path).startswith(
        f"{file}: seed2.sums.json beside it does not tell what it was (FileNotFoundError("
    )


def test_labels_outside_the_classes_and_classes_without_images_are_refused(tmp_path, suite):
    groups = np.arange(3)
    for y, message in (
        ([0, 1, 2], "y = 2 is outside 0..1"),
        ([0, 0, 0], "no test image of class yes; leave it out with exclude_classes and split again"),
    ):
        labels = {("single", 1): np.zeros(3, dtype=np.int64)}
        write_cell(tmp_path, cell_frame("toy_two", 1, labels, np.array(y), groups, 2))
        assert message in refusal(suite, tmp_path)
