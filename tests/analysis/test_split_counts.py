import pandas as pd
import pytest
from small_suite import toy_suite, write_toy_splits

from weckd.analysis.results import Results
from weckd.analysis.sheets.inputs import splits_table
from weckd.analysis.split_counts import COPIES, count_splits
from weckd.config import SplitSettings
from weckd.errors import UserError
from weckd.run_files import RunFiles


def test_split_counts_by_hand(toy_folder):
    frame = count_splits(toy_suite(), RunFiles(toy_folder)).query("dataset == 'toy_three' and seed == 1")
    counts = {count.part: count for count in frame.itertuples()}
    numbers = {part: (count.n_images, count.n_groups, count.share_of) for part, count in counts.items()}
    assert numbers == {
        "all": (120, 60, "all"),
        "test": (24, 12, "all"),
        "validation": (14, 7, "not test"),
        "training": (82, 41, "not test"),
        "D1": (8, 4, "training"),
        "D2": (8, 4, "training"),
        "D3": (8, 4, "training"),
        "labels used": (24, 12, "training"),
        "rest": (58, 29, "training"),
    }
    shares = {"test": 24 / 120, "validation": 14 / 96, "D1": 8 / 82, "labels used": 24 / 82}
    assert {part: counts[part].share_pct / 100 for part in shares} == pytest.approx(shares)
    # D1 holds pairs 19 to 22, classes b c a b.
    assert (counts["D1"].smallest_class, counts["D1"].smallest_class_n) == ("a", 2)


def test_copies_of_official_test_images_are_counted(tmp_path):
    write_toy_splits(tmp_path / "splits")
    official = toy_suite(datasets=("toy_three",), split=SplitSettings(2025, protocol="official"))
    for seed in official.seeds:
        file = RunFiles(tmp_path).split("toy_three", seed)
        frame = pd.read_csv(file)
        frame.loc[frame["group_id"].isin(["group0000", "group0001", "group0002"]), "group_id"] += "-cut"
        frame.to_csv(file, index=False)
    run = RunFiles(tmp_path)
    counts = count_splits(official, run).query("part == @COPIES")
    assert counts[["n_images", "n_groups", "share_pct"]].to_numpy().tolist() == [[6, 3, 25.0]] * 5
    [table] = splits_table(Results(official, None, run)).tables
    assert table.cells[COPIES].tolist() == ["6 (25.0 %)"]
    assert COPIES not in set(count_splits(toy_suite(), run)["part"])


def test_a_missing_split_is_named(toy_folder):
    frame = count_splits(toy_suite(), RunFiles(toy_folder))
    gap = frame[frame["missing"] != ""]
    assert gap["missing"].tolist() == ["toy_copy seed 3 split"]
    assert gap["n_images"].isna().all()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("part", "D4", "part D4 is not one of test, validation, D1, D2, D3, rest; delete the file"),
        ("class", "maybe", "class maybe is not one of no, yes; delete the file and run the suite again"),
        (None, None, "columns must be image_id,group_id,class,y,part,draws; make it with `weckd split`"),
    ],
)
def test_wrong_splits_are_refused(tmp_path, column, value, message):
    write_toy_splits(tmp_path / "splits")
    file = RunFiles(tmp_path).split("toy_two", 1)
    frame = pd.read_csv(file)
    if column is None:
        frame = frame.drop(columns="part")
    else:
        alike = {"part": "group_id", "class": "class"}[column]
        frame.loc[frame[alike] == frame.loc[0, alike], column] = value
    frame.to_csv(file, index=False)
    with pytest.raises(UserError) as caught:
        count_splits(toy_suite(datasets=("toy_two",)), RunFiles(tmp_path))
    assert str(caught.value).startswith(f"{file}: {message}")
