"""What attention maps say: read, checked, tested and tabled; by hand and from hand-made files."""

import re

import numpy as np
import pytest
from attention_files import toy_arrays, write_arrays, write_toy_attention
from small_suite import toy_suite

from weckd.analysis.attention import attention_frame, evaluate_attention, load_attention
from weckd.analysis.contrasts import gain, own
from weckd.analysis.inference.reader_study import half_width, p_value
from weckd.analysis.results import Results
from weckd.analysis.sheets.attention import attention_table
from weckd.errors import UserError
from weckd.files import sums_of, write_sums
from weckd.run_files import RunFiles
from weckd.tables.render import latex, markdown


def load(folder, suite):
    return load_attention(suite, RunFiles(folder))


def table_of(folder, suite):
    return attention_table(Results(suite, None, RunFiles(folder)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attention")
    write_toy_attention(folder)
    return folder


@pytest.fixture(scope="module")
def maps(folder):
    return load(folder, toy_suite())


def test_files_are_read_as_they_were_written(maps):
    assert list(maps) == ["toy_three", "toy_two"]  # toy_copy has none
    found, arrays = maps["toy_three"], toy_arrays("toy_three")
    assert found.map_size == (4, 4)
    assert found.groups.tolist() == [0, 0, 1, 2, 3, 4]
    assert np.array_equal(found.numbers["sharpness"], arrays["sharpness"].astype(np.float64))
    assert found.examples.labels.tolist() == [0, 1, 2]
    assert found.examples.images.shape == (3, 8, 8, 3)


def test_a_contrast_is_the_two_way_test_of_the_images_numbers(maps):
    # M3 - M1 of every image of toy_three is 0.25 + 0.01 * (seed - 3): seeds alone vary, by var 0.00025.
    suite = toy_suite()
    ends = gain("sharpness", 3, "sharpness", 1)
    results = evaluate_attention(suite, maps, ends)
    study = results["toy_three"].study
    assert study.estimate == pytest.approx(0.25)
    assert study.per_seed == pytest.approx((0.23, 0.24, 0.25, 0.26, 0.27))
    assert study.se == pytest.approx(np.sqrt(0.00025 / 5), rel=1e-4)
    assert study.df == pytest.approx(4, abs=1e-3)
    assert half_width(study, 0.95) == pytest.approx(2.776445 * np.sqrt(0.00005), rel=1e-3)
    assert p_value(study) < 0.001
    assert (study.n_images, study.n_groups) == (6, 5)


def test_groups_are_the_cases(maps):
    # By hand: sharpness of M1 is 0.10, 0.20, 0.30, 0.40, 0.50, 0.60 for the images, the first two of one group.
    study = evaluate_attention(toy_suite(), maps, own("sharpness", 1))["toy_three"].study
    sums = np.array([0.1 + 0.2 - 0.7, -0.05, 0.05, 0.15, 0.25])  # minus the mean, 0.35, an image
    assert study.estimate == pytest.approx(0.35)
    assert study.seed_part == pytest.approx(0, abs=1e-12)
    assert study.case_part == pytest.approx(5 * sums.var(ddof=1) / 36, rel=1e-5)


def test_what_is_missing_is_named(maps):
    suite = toy_suite()
    sharp = [evaluate_attention(suite, maps, own("sharpness", n)) for n in (1, 2, 3)]
    assert [results["toy_two"].missing for results in sharp] == [
        (),
        ("toy_two seeds 2, 4 weckd stage 2 diverged",),
        ("toy_two seeds 2, 4 weckd stage 3 diverged",),
    ]
    agreeing = evaluate_attention(suite, maps, own("agreement", 3))
    assert agreeing["toy_two"].missing == (
        "toy_two seeds 2, 4 weckd stage 2 diverged",
        "toy_two seeds 2, 4 weckd stage 3 diverged",
    )
    assert agreeing["toy_copy"].missing == ("toy_copy attention maps",)
    # toy_copy is derived, so the mean over the independent two lacks only what toy_two does.
    assert sharp[0]["macro"].missing == ()
    assert sharp[0]["macro"].study.estimate == pytest.approx((0.35 + 0.25) / 2)
    assert sharp[1]["macro"].missing == sharp[1]["toy_two"].missing


def test_the_frame_has_a_row_a_data_set_seed_and_model(maps):
    frame = attention_frame(toy_suite(), maps)
    assert len(frame) == 3 * 5 * 3
    row = frame.query("dataset == 'toy_three' and seed == 5 and stage == 3").iloc[0]
    assert row["sharpness"] == pytest.approx(0.35 + 0.27)
    assert row["agreement"] == pytest.approx(0.93)
    assert (row["n_images"], row["n_groups"], row["missing"], row["phantom"]) == (6, 5, "", True)
    assert frame[frame["stage"] == 1]["agreement"].isna().all()
    gone = frame.query("missing == 'diverged'")
    assert gone[["dataset", "seed", "stage"]].to_numpy().tolist() == [
        ["toy_two", 2, 2],
        ["toy_two", 2, 3],
        ["toy_two", 4, 2],
        ["toy_two", 4, 3],
    ]
    assert gone["sharpness"].isna().all()
    assert frame.query("dataset == 'toy_copy'")["missing"].tolist() == ["attention maps"] * 15


def test_the_table(folder):
    # By hand: SE^2 of toy_three's M1 is 5 * 0.0625 / 36, t(4) = 2.776; of toy_two's 0.016667 / 4, t(3) = 3.182; of the
    # macro mean a quarter of their sum, t(6.70) = 2.386.
    (table,) = table_of(folder, toy_suite()).tables
    lines = markdown(table).splitlines()
    assert lines[0] == "### Do the attention maps sharpen along the chain, suite toy"
    assert [re.sub(" +", " ", line) for line in (lines[4], *lines[6:10])] == [
        "| data set | map | sharpness M1 | sharpness M2 | sharpness M3 | M3 - M1 [95 % CI] | p "
        "| agreement M2 with M1 | agreement M3 with M2 |",
        "| toy_three | 4x4 | 0.350 ± 0.259 | 0.450 ± 0.259 | 0.600 ± 0.258 | +0.250 [+0.230, +0.270] | <.001 "
        "| 0.900 ± 0.000 | 0.930 ± 0.000 |",
        "| toy_two | 4x4 | 0.250 ± 0.205 | missing | missing | missing | - | missing | missing |",
        "| toy_copy † | missing | missing | missing | missing | missing | - | missing | missing |",
        "| macro of 2 | - | 0.300 ± 0.135 | missing | missing | missing | - | missing | missing |",
    ]
    assert lines[2] == (
        "**Phantom images drawn by this suite: says nothing about the paper's data.** Attention maps of the chain's "
        "models on the same test images, ± half-width of the interval; no claim rests on them. macro: 2 independent "
        "data sets, n = 10 test images in 9 groups; k = 5 seeds. Two-way random-effects t, seeds x groups; unadjusted "
        "95 % intervals; alpha = 0.05, p not adjusted. **MISSING: 3, named below.** Plan 0123456789ab."
    )
    assert table.notes == (
        "MISSING: toy_two seeds 2, 4 weckd stage 2 diverged; toy_two seeds 2, 4 weckd stage 3 diverged; toy_copy "
        "attention maps.",
        "In no family of the plan. Two maps that are nearly flat agree, whatever the models have learnt.",
        "No method is tuned: committed settings.",
        "† derived, in no mean: toy_copy (from toy_three).",
    )
    assert r"\label{tab:attention}" in latex(table)


def test_few_seeds_are_only_described(tmp_path):
    suite = toy_suite(datasets=("toy_three",), seeds=(1, 2))
    write_arrays(tmp_path, {**toy_arrays("toy_three"), **of_seeds(2)})
    (table,) = table_of(tmp_path, suite).tables
    row = [re.sub(" +", " ", cell) for cell in markdown(table).splitlines()[6].split("|")[3:8]]
    assert row == [" 0.350 ", " 0.450 ", " 0.585 ", " +0.235 ", " - "]
    assert table.notes[0] == "Fewer than 5 seeds: description only, no interval and no p."


def test_a_run_without_a_chain_says_so(tmp_path):
    suite = toy_suite(methods=("single", "pooled"))
    file = table_of(tmp_path, suite)
    assert "no method of this run is a chain; add one, such as weckd" in markdown(file.tables[0])
    assert len(file.frame) == 0


def test_a_file_may_lack_its_images(tmp_path, maps):
    arrays = {
        name: value for name, value in toy_arrays("toy_three").items() if not name.startswith("example")
    }
    write_arrays(tmp_path, arrays)
    found = load(tmp_path, toy_suite())["toy_three"]
    assert found.examples is None
    assert np.array_equal(found.numbers["sharpness"], maps["toy_three"].numbers["sharpness"])


def of_seeds(count):
    """Return the arrays of the first seeds alone."""
    names = ("seeds", "diverged", "sharpness", "agreement")
    return {name: toy_arrays("toy_three")[name][:count] for name in names}


def changed(name, change):
    """Return an array of the file with a change made to a copy."""
    value = toy_arrays("toy_three")[name].copy()
    return {name: change(value)}


def put(*place, value):
    def change(array):
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"dataset": np.array("toy_two")}, "dataset is toy_two, must be toy_three"),
        (of_seeds(3), "seeds is [1, 2, 3], must be [1, 2, 3, 4, 5]"),
        ({"agreement": None}, "holds no agreement"),
        ({"example_maps": None}, "holds no example_maps"),
        (
            changed("sharpness", lambda array: array[:, :2]),
            "sharpness is float32 (5, 2, 6), must be of kind f and (5, 3, 6)",
        ),
        (changed("y", lambda array: array[:5]), "y is int64 (5,), must be of kind i and (6)"),
        (
            changed("y", lambda array: array.astype(np.float64)),
            "y is float64 (6,), must be of kind i and (6)",
        ),
        (
            changed("example_maps", lambda array: array[:, :, :2]),
            "example_maps is float32 (3, 3, 2, 4), must be of kind f and (3, 3, 4, 4)",
        ),
        (
            changed("example_images", lambda array: array[..., 0]),
            "example_images is uint8 (3, 8, 8), must be of kind u and (3, H, W, 3)",
        ),
        (changed("y", put(0, value=3)), "y = 3 is outside 0..2"),
        (changed("example_rows", put(0, value=6)), "example_rows names an image that is not there"),
        (
            changed("sharpness", put(0, 1, 2, value=np.nan)),
            "sharpness is not between 0 and 1 wherever no model diverged",
        ),
        (
            changed("agreement", put(0, 1, 2, value=1.1)),
            "agreement is not between 0 and 1 wherever no model diverged",
        ),
        (
            changed("diverged", put(0, 2, value=True)),
            "sharpness is not between 0 and 1 wherever no model diverged",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path, arrays, message):
    whole = {**toy_arrays("toy_three"), **arrays}
    file = write_arrays(
        tmp_path, {key: value for key, value in whole.items() if value is not None}, "toy_three"
    )
    with pytest.raises(UserError) as told:
        load(tmp_path, toy_suite())
    assert str(told.value) == f"{file}: {message}; delete the file and run the suite again"


@pytest.mark.parametrize("damage", ["cut", "flipped", "text", "array", "empty"])
def test_a_damaged_file_is_told_with_what_to_do(tmp_path, damage):
    file = write_arrays(tmp_path, toy_arrays("toy_three"))
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    if damage == "flipped":
        place = content.index(b"sharpness.npy") + 60
        content[place] ^= 255
    if damage == "text":
        content = bytearray(b"not a zip archive")
    if damage == "empty":
        content = bytearray()
    file.write_bytes(content)
    if damage == "array":
        with file.open("wb") as stream:
            np.save(stream, np.zeros(3))
    with pytest.raises(UserError) as edited:
        load(tmp_path, toy_suite())
    assert str(edited.value).startswith(f"{file}: edited or damaged, its SHA-256 is ")
    write_sums(sums_of(file), [file])  # as of a frozen reference that holds such a file
    with pytest.raises(UserError) as told:
        load(tmp_path, toy_suite())
    text = str(told.value)
    assert text.startswith(f"{file}: not a readable file of attention maps (")
    assert text.endswith("); delete the file and run the suite again")
