import numpy as np
import pandas as pd
import pytest

from weckd.config import SplitSettings
from weckd.data.prepared import COLUMNS as INDEX_COLUMNS
from weckd.data.splits import CUT_MARK, draw_split, part_rows, read_split, write_splits
from weckd.errors import UserError
from weckd.files import file_digest, write_json, write_sums, write_text

SETTINGS = SplitSettings(seed=2025)
SEEDS = range(1, 21)
HEADER = "image_id,group_id,class,y,part,draws\n"
TINY = """\
a/00-0.png,a00,a,0,validation
a/01-0.png,a01,a,0,D2
a/02-0.png,a02,a,0,rest
a/03-0.png,a03,a,0,D3
a/04-0.png,a04,a,0,test
a/05-0.png,a05,a,0,test
a/06-0.png,a06,a,0,D1
a/07-0.png,a07,a,0,test
a/08-0.png,a08,a,0,rest
b/00-0.png,b00,b,1,test
b/01-0.png,b01,b,1,D1
b/02-0.png,b02,b,1,test
b/03-0.png,b03,b,1,D3
b/04-0.png,b04,b,1,rest
b/05-0.png,b05,b,1,validation
b/06-0.png,b06,b,1,D2
b/07-0.png,b07,b,1,test
b/08-0.png,b08,b,1,rest
"""


def collection(sizes):
    """Return index and groups of a data set: {class: sizes of its groups}, the groups of all classes interleaved."""
    rows = [
        (f"{class_key}/{number:02d}-{image}.png", class_key, f"{class_key}{number:02d}")
        for class_key, class_sizes in sizes.items()
        for number, size in enumerate(class_sizes)
        for image in range(size)
    ]
    frame = pd.DataFrame(rows, columns=["image_id", "class", "group_id"])
    frame = frame.sample(frac=1, random_state=7).reset_index(drop=True)
    return frame[["image_id", "class"]], frame[["image_id", "group_id"]]


def uneven(seed=5):
    """Return three classes of 1 to 9 images a group: 60, 30 and 12 groups."""
    sizes = np.random.default_rng(seed)
    return {key: sizes.integers(1, 10, count).tolist() for key, count in (("a", 60), ("b", 30), ("c", 12))}


def parts(index, groups, classes="abc", settings=SETTINGS, seed=1):
    return draw_split(index, groups, "mine", tuple(classes), settings, seed)


def membership(split):
    return dict(zip(split["image_id"], split["part"], strict=True))


def test_a_tiny_split_as_it_is_written():
    # Classes of nine single images: 20 % for the test part are 1.8, but three are needed at least; of the six left,
    # 15 % for validation are 0.9, so one; of the five left, 10 % a stage are 0.5, so one each; two remain.
    index, groups = collection({"a": [1] * 9, "b": [1] * 9})
    split = parts(index, groups, "ab").sort_values("image_id")
    written = split.drop(columns="draws").to_csv(index=False, lineterminator="\n")
    assert written == HEADER.replace(",draws", "") + TINY
    counts = split.groupby(["class", "part"]).size().unstack().loc["a"].to_dict()
    assert counts == {"D1": 1, "D2": 1, "D3": 1, "rest": 2, "test": 3, "validation": 1}


def test_overlapping_draws_are_as_large_as_the_stages_and_drawn_each_for_itself():
    index, groups = collection({"a": [1] * 300, "b": [2] * 150})
    split = parts(index, groups, "ab")
    rows = part_rows(split)
    assert list(rows) == ["D1", "D2", "D3", "E2", "E3", "rest", "test", "validation"]
    held_out = {*rows["test"], *rows["validation"]}
    for draw in ("E2", "E3"):
        assert len(rows[draw]) == len(rows["D2"])
        assert not held_out & set(rows[draw])
        assert split.loc[rows[draw]].groupby("class").size().tolist() == [20, 20]  # 10 % of 204 each
        assert (
            split[split["group_id"].isin(split.loc[rows[draw], "group_id"])].index.tolist()
            == rows[draw].tolist()
        )
    # They overlap with the disjoint stages and with each other as chance has it: 10 % of 40 each.
    assert 0 < len(set(rows["E2"]) & {*rows["D1"], *rows["D2"], *rows["D3"]}) < 30
    assert set(rows["E2"]) != set(rows["E3"])
    again = parts(index, groups, "ab", settings=SplitSettings(seed=2025, stages=2))
    assert part_rows(again)["E2"].tolist() == rows["E2"].tolist()  # a further stage changes no draw


def test_halves_are_drawn_within_each_subset_and_change_nothing_else():
    index, groups = collection(uneven())
    halved = SplitSettings(seed=2025, stages=5, halves=True)
    plain = SplitSettings(seed=2025, stages=5)
    split, whole = (parts(index, groups, settings=settings) for settings in (halved, plain))
    rows, before = part_rows(split), part_rows(whole)
    assert {name: found.tolist() for name, found in rows.items() if name[0] != "H"} == {
        name: found.tolist() for name, found in before.items()
    }
    for number in range(1, 6):
        of_subset, of_half = split.loc[rows[f"D{number}"]], split.loc[rows[f"H{number}"]]
        assert set(of_half.index) < set(of_subset.index)
        kept = of_subset["group_id"].isin(of_half["group_id"])
        assert of_subset[kept].index.tolist() == of_half.index.tolist()  # whole groups
        for class_key, of_class in of_subset.groupby("class"):
            half = (of_half["class"] == class_key).sum()
            largest = of_class["group_id"].value_counts().max()
            assert half > 0
            assert half <= max(len(of_class) / 2 + largest / 2, of_class["group_id"].value_counts().min())
            assert half >= len(of_class) / 2 - largest


def test_half_of_each_class_of_single_images_and_another_half_for_another_seed():
    # 68 images of each class for training, 7 a subset: half of them are 3.5, so that the fourth brings it no nearer.
    index, groups = collection({"a": [1] * 100, "b": [1] * 100})
    halved = SplitSettings(seed=2025, halves=True)
    rows = part_rows(parts(index, groups, "ab", settings=halved))
    assert [len(rows[name]) for name in ("D1", "H1", "H2", "H3")] == [14, 6, 6, 6]
    places = {
        (seed, number): np.flatnonzero(np.isin(found[f"D{number}"], found[f"H{number}"])).tolist()
        for seed in (1, 2, 3)
        for found in [part_rows(parts(index, groups, "ab", settings=halved, seed=seed))]
        for number in (1, 2, 3)
    }
    assert len({tuple(found) for found in places.values()}) == 9


def test_the_smallest_class_that_can_be_split():
    index, groups = collection({"a": [1] * 8, "b": [2] * 8})
    counts = parts(index, groups, "ab").groupby(["class", "part"])["group_id"].nunique()
    for class_key in "ab":
        assert counts[class_key].to_dict() == {
            "D1": 1,
            "D2": 1,
            "D3": 1,
            "rest": 1,
            "test": 3,
            "validation": 1,
        }


def test_counts_of_single_images():
    # 100 images: 20 test, 12 of 80 validation, 68 train; 6.8 a stage is 7; 68 - 21 = 47 remain.
    index, groups = collection({"a": [1] * 100, "b": [1] * 100})
    counts = parts(index, groups, "ab").groupby(["class", "part"]).size()
    for class_key in "ab":
        expected = {"D1": 7, "D2": 7, "D3": 7, "rest": 47, "test": 20, "validation": 12}
        assert counts[class_key].to_dict() == expected


def test_the_test_part_is_the_same_for_all_seeds_and_the_others_are_not():
    index, groups = collection(uneven())
    splits = [parts(index, groups, seed=seed) for seed in SEEDS]
    tests = {tuple(split.loc[split["part"] == "test", "image_id"]) for split in splits}
    assert len(tests) == 1
    for part in ("validation", "D1", "D2", "D3"):
        drawn = {tuple(split.loc[split["part"] == part, "image_id"]) for split in splits}
        assert len(drawn) == len(SEEDS)


def test_another_split_seed_draws_another_test_part():
    index, groups = collection(uneven())
    drawn = [
        membership(parts(index, groups, settings=SplitSettings(seed=split_seed)))
        for split_seed in (2025, 2026)
    ]
    tests = [{image for image, part in split.items() if part == "test"} for split in drawn]
    assert tests[0] != tests[1]


def test_another_data_set_has_its_own_streams():
    index, groups = collection(uneven())
    other = draw_split(index, groups, "yours", tuple("abc"), SETTINGS, 1)
    assert membership(other) != membership(parts(index, groups))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_group_crosses_and_no_image_is_lost(seed):
    index, groups = collection(uneven(seed))
    split = parts(index, groups, seed=seed)
    assert split["image_id"].tolist() == index["image_id"].tolist()
    assert (split.groupby("group_id")["part"].nunique() == 1).all()
    assert split["y"].tolist() == split["class"].map({"a": 0, "b": 1, "c": 2}).tolist()
    assert set(split["part"]) == {"test", "validation", "D1", "D2", "D3", "rest"}


@pytest.mark.parametrize("seed", SEEDS)
def test_every_class_has_its_share_of_every_part(seed):
    sizes = uneven(seed)
    index, groups = collection(sizes)
    split = parts(index, groups, seed=seed)
    images = split.groupby(["class", "part"]).size()
    held = split.groupby(["class", "part"])["group_id"].nunique()
    for class_key in "ab":  # c has too few groups to come near the shares
        largest = max(sizes[class_key])
        total = sum(sizes[class_key])
        own = images[class_key]
        assert abs(own["test"] - 0.20 * total) <= largest / 2
        assert abs(own["validation"] - 0.15 * (total - own["test"])) <= largest / 2
        training = total - own["test"] - own["validation"]
        for stage in ("D1", "D2", "D3"):
            assert abs(own[stage] - 0.10 * training) <= largest / 2
    for class_key in "abc":
        assert held[class_key]["test"] >= 3
        assert all(held[class_key][part] >= 1 for part in ("validation", "D1", "D2", "D3", "rest"))


def test_a_giant_group_goes_to_the_rest():
    index, groups = collection({"a": [100, *[1] * 20], "b": [1] * 20})
    for seed in SEEDS:
        split = parts(index, groups, "ab", seed=seed)
        assert set(split.loc[split["group_id"] == "a00", "part"]) == {"rest"}
        counts = split[split["class"] == "a"].groupby("part").size().to_dict()
        # 20 groups of one image: five groups must be left by the test part, four by validation, and so on.
        assert counts == {"test": 16, "validation": 1, "D1": 1, "D2": 1, "D3": 1, "rest": 100}


def test_a_part_that_must_pass_its_share_takes_the_smallest_groups():
    # 41 images, 8.2 for the test part: two groups of 5 pass it and no more are taken, but the third must be: a 1.
    index, groups = collection({"a": [5] * 8 + [1], "b": [1] * 9})
    split = parts(index, groups, "ab")
    test = split[(split["class"] == "a") & (split["part"] == "test")]
    assert sorted(test.groupby("group_id").size()) == [1, 5, 5]


def test_the_order_of_the_index_changes_no_membership():
    index, groups = collection(uneven())
    expected = membership(parts(index, groups))
    for order in range(3):
        shuffled = index.sample(frac=1, random_state=order)
        split = parts(shuffled, groups.sample(frac=1, random_state=order + 10))
        assert split["image_id"].tolist() == shuffled["image_id"].tolist()
        assert membership(split) == expected


def test_names_of_groups_change_no_membership():
    # Another order of the index numbers clusters again.
    index, groups = collection(uneven())
    renamed = groups.assign(group_id=[f"g{int(i[1:]) * 7 % 61:04d}{i[0]}" for i in groups["group_id"]])
    assert membership(parts(index, renamed)) == membership(parts(index, groups))


def test_leaving_a_class_out_changes_no_other():
    index, groups = collection(uneven())
    whole = membership(parts(index, groups))
    without = parts(index, groups, "ac")
    assert set(without["class"]) == {"a", "c"}
    assert without.loc[without["class"] == "c", "y"].unique().tolist() == [1]
    assert membership(without) == {image: part for image, part in whole.items() if image[0] != "b"}


def test_a_group_of_several_classes_counts_for_the_most_frequent_one():
    index, groups = collection({"a": [2] * 8, "b": [2] * 7})
    mixed = pd.DataFrame({"image_id": ["m1", "m2", "m3"], "class": ["b", "b", "a"], "group_id": "mixed"})
    with_three = (
        pd.concat([index, mixed[["image_id", "class"]]]),
        pd.concat([groups, mixed[["image_id", "group_id"]]]),
    )
    split = parts(*with_three, "ab")  # b has its eighth group
    assert split.loc[split["group_id"] == "mixed", "part"].nunique() == 1
    with_tie = with_three[0].iloc[[*range(len(index)), -2, -1]], with_three[1]
    with pytest.raises(UserError, match="class b has 7 groups"):  # one image each: the first class has it
        parts(*with_tie, "ab")


def test_any_number_of_stages():
    settings = SplitSettings(seed=2025, stage=0.2, stages=2)
    index, groups = collection({"a": [1] * 100, "b": [1] * 7})
    counts = parts(index, groups, "ab", settings).groupby(["class", "part"]).size()
    assert counts["a"].to_dict() == {"D1": 14, "D2": 14, "rest": 40, "test": 20, "validation": 12}
    assert counts["b"].to_dict() == {"D1": 1, "D2": 1, "rest": 1, "test": 3, "validation": 1}
    index, groups = collection({"a": [1] * 10, "b": [1] * 9})
    with pytest.raises(UserError, match="class b has 9 groups, a split needs 10 groups "):
        parts(index, groups, "ab", SplitSettings(seed=2025, stages=5))


def test_a_class_with_too_few_groups_is_refused_by_name():
    index, groups = collection({"a": [1] * 8, "b": [9] * 7})
    with pytest.raises(UserError) as refused:
        parts(index, groups, "ab")
    assert str(refused.value) == (
        "mine: class b has 7 groups of 63 images (near-duplicates, or a patient's, are one group), a split needs "
        "8 groups (three in test, one in each other part); leave it out with exclude_classes: {mine: [b]}"
    )


def test_an_image_without_group_is_refused():
    index, groups = collection({"a": [1] * 8, "b": [1] * 8})
    with pytest.raises(UserError, match=r"^mine: image a/00-0\.png has no group; make the groups again$"):
        parts(index, groups[groups["image_id"] != "a/00-0.png"], "ab")


def write_inputs(folder, index, groups):
    """Write what a split is made of, with the digests that it is compared with."""
    full = index.reindex(columns=list(INDEX_COLUMNS), fill_value="")
    write_text(folder / "prepared" / "index.csv", full.to_csv(index=False))
    files = {"index.csv": file_digest(folder / "prepared" / "index.csv")}
    write_json(folder / "prepared" / "dataset.json", {"key": "mine", "files": files})
    write_text(folder / "groups.csv", groups.to_csv(index=False))
    write_sums(folder / "sums.json", [folder / "groups.csv"])


@pytest.mark.parametrize(
    ("name", "old", "new"), [("prepared/index.csv", ",a,", ",b,"), ("groups.csv", ",a01\n", ",a02\n")]
)
def test_an_index_or_groups_that_were_edited_are_refused_before_a_split_is_drawn(
    tmp_path, name, old, new, monkeypatch
):
    monkeypatch.setattr("weckd.data.splits.draw_split", None)
    index, groups = collection(uneven())
    write_inputs(tmp_path, index, groups)
    text = (tmp_path / name).read_text()
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new, 1))
    places = (tmp_path / "prepared", tmp_path / "groups.csv", tmp_path / "out")
    with pytest.raises(UserError, match=rf"{name}: edited or damaged, its SHA-256 is .{{12}}…, .* records"):
        write_splits("mine", ("a", "b"), SETTINGS, [1], *places)
    assert not (tmp_path / "out").exists()


def test_files_of_all_seeds(tmp_path):
    index, groups = collection(uneven())
    write_inputs(tmp_path, index, groups)

    def write(seeds, out):
        write_splits("mine", ("a", "b"), SETTINGS, seeds, tmp_path / "prepared", tmp_path / "groups.csv", out)
        return {file.name: file.read_bytes() for file in sorted(out.iterdir())}

    one, two = write([1], tmp_path / "one"), write([1, 2], tmp_path / "two")
    assert list(two) == ["seed1.csv", "seed2.csv", "sums.json"]
    assert one["seed1.csv"] == two["seed1.csv"]  # another seed changes nothing
    assert one["seed1.csv"] != two["seed2.csv"]
    pd.testing.assert_frame_equal(
        read_split(tmp_path / "one" / "seed1.csv"), parts(index, groups, "ab"), check_dtype=False
    )


def written(tmp_path, sizes, settings, seeds=(1, 2), official=None):
    """Write the splits of single images in classes of these sizes."""
    index, groups = collection({key: [1] * size for key, size in sizes.items()})
    if official is not None:
        index = with_official(index, official)
    write_inputs(tmp_path, index, groups)
    places = (tmp_path / "prepared", tmp_path / "groups.csv", tmp_path / "splits")
    write_splits("mine", tuple(sizes), settings, seeds, *places)


def test_shares_that_groups_give_are_not_told(tmp_path, capsys):
    # 20 of 100 for the test part, 12 of 80 for validation, 7 of 68 a stage, for 6.8: 3 % off its share
    written(tmp_path, {"a": 100, "b": 100}, SETTINGS)
    assert capsys.readouterr() == ("", "")


def test_a_share_that_whole_groups_miss_is_told_with_the_true_one(tmp_path, capsys):
    # 3 of 12 for the test part, 1 of 9 for validation, 1 of 8 a stage
    written(tmp_path, {"a": 12, "b": 12}, SETTINGS)
    assert capsys.readouterr().err == (
        "[mine] split.test: 20 % of the images of mine is asked for, its groups under seed 1 (test) give 25 %\n"
        "[mine] split.validation: 15 % of what is not test of mine is asked for, its groups under seed 1 (validation) "
        "give 11.1 %\n"
        "[mine] split.stage: 10 % of the training part of mine is asked for, its groups under seed 1 (D1) give 12.5 %\n"
    )


@pytest.mark.parametrize(
    ("sizes", "settings", "told"),
    [
        (
            {"a": 100, "b": 20, "c": 20},  # of 68, 14 and 14 in training: 1.36 is 1, .28 and .28 are 1
            {"stage": 0.02},
            "split.stage: 2 % of the training part of mine is asked for, its groups under seed 1 (D1) give 3.12 %",
        ),
        (
            {
                "a": 100,
                "b": 100,
            },  # four stages of 17 of 68; each leaves a group of the next ones, and of the rest
            {"stage": 0.25, "stages": 5},
            "split.stage: 25 % of the training part of mine is asked for, its groups under seed 1 (D5) give 1.47 %",
        ),
        (
            {"a": 20, "b": 20},
            {"test": 0.05},
            "split.test: 5 % of the images of mine is asked for, its groups under seed 1 (test) give 15 %",
        ),
        (
            {"a": 20, "b": 20},
            {"validation": 0.02},
            "split.validation: 2 % of what is not test of mine is asked for, its groups under seed 1 (validation) give "
            "6.25 %",
        ),
    ],
)
def test_a_share_that_groups_miss_by_more_than_half_is_refused(sizes, settings, told, tmp_path):
    with pytest.raises(UserError) as refused:
        written(tmp_path, sizes, SplitSettings(seed=2025, **settings))
    assert str(refused.value) == (
        f"{told}; set a share that they can give, or leave classes of few groups out with exclude_classes"
    )
    assert not (tmp_path / "splits").exists()


def test_a_source_chooses_the_share_of_its_own_test_part(tmp_path, capsys):
    official = {f"{key}/{number:02d}-0.png" for key in "ab" for number in range(50)}
    written(tmp_path, {"a": 100, "b": 100}, OFFICIAL, official=official)
    assert "split.test" not in capsys.readouterr().err


def test_names_are_read_as_they_stand(tmp_path):
    file = tmp_path / "seed1.csv"
    write_text(file, HEADER + "1.0,007,no,0,test,\nNA,1e3,NaN,1,D1,E2\n")
    split = read_split(file)
    assert split.to_numpy().tolist() == [
        ["1.0", "007", "no", 0, "test", ""],
        ["NA", "1e3", "NaN", 1, "D1", "E2"],
    ]
    assert split["y"].dtype == np.int64


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("i,g,a,0,test,\ni,g,a,0,test,\n", "image i is given twice"),
        ("i,g,a,-1,test,\n", "image i has y '-1', which is no class's number"),
        ("i,g,a,,test,\n", "image i has y '', which is no class's number"),
        ("i,g,a,0,train,\n", "image i is in an unknown part 'train'"),
        ("i,g,a,0,D0,\n", "image i is in an unknown part 'D0'"),
        ("h,f,a,0,rest,\ni,g,a,0,D1,\nj,g,a,0,D2,\n", "group g crosses parts; a group must stay together"),
        ("i,g,a,0,rest,D2\n", "image i is in unknown draws 'D2'"),
        ("i,g,a,0,validation,E2\n", "image i is held out, and in a draw for training (E2)"),
        ("i,g,a,0,test,\nj,h,a,1,test,\n", "class a has more than one y"),
        ("i,g,a,0,test,\nj,h,b,0,test,\n", "y 0 belongs to more than one class"),
    ],
)
def test_a_wrong_split_file_is_refused(tmp_path, rows, message):
    file = tmp_path / "seed1.csv"
    write_text(file, HEADER + rows)
    with pytest.raises(UserError) as refused:
        read_split(file)
    assert str(refused.value) == f"{file}: {message}; make it again with `weckd split`"


def test_a_file_that_is_no_split_is_refused(tmp_path):
    file = tmp_path / "seed1.csv"
    with pytest.raises(UserError, match="not a readable split file"):
        read_split(file)
    write_text(file, "image_id,part\n")
    with pytest.raises(
        UserError, match="columns must be image_id,group_id,class,y,part,draws; make it with `weckd"
    ):
        read_split(file)


OFFICIAL = SplitSettings(seed=2025, protocol="official")


def with_official(index, official):
    """Return the index with a source's own test part: the images that `official` holds."""
    return index.assign(
        official_split=["test" if image in official else "train" for image in index["image_id"]]
    )


def test_the_official_test_part_is_the_sources_own_and_the_rest_is_drawn_as_ever():
    index, groups = collection({"a": [1] * 30, "b": [2] * 20})
    # Three whole groups a class, and one image of the pair b03, whose other image is for training.
    official = {f"{key}/{number:02d}-{image}.png" for key in "ab" for number in range(3) for image in (0, 1)}
    official |= {"b/03-0.png"}
    split = parts(with_official(index, official), groups, "ab", OFFICIAL)
    assert set(split.loc[split["part"] == "test", "image_id"]) == official & set(index["image_id"])
    group_of = dict(zip(split["image_id"], split["group_id"], strict=True))
    assert group_of["b/03-0.png"] == "b03-cut"
    assert group_of["b/03-1.png"] == "b03"
    assert [name for name in group_of.values() if name.endswith(CUT_MARK)] == ["b03-cut"]
    assert split.groupby("group_id")["part"].nunique().max() == 1
    # Of 27 images for training of class a: 15 % are 4.05 for validation, 10 % of the 23 left are 2.3 a stage.
    counts = split.groupby(["class", "part"]).size().unstack()
    assert counts.loc["a"].to_dict() == {
        "D1": 2,
        "D2": 2,
        "D3": 2,
        "rest": 17,
        "test": 3,
        "validation": 4,
    }
    assert counts.loc["b"].sum() == 40


def test_the_official_test_part_is_the_same_for_all_seeds_and_the_subsets_are_not():
    index, groups = collection({"a": [1] * 60, "b": [1] * 60})
    official = {f"{key}/{number:02d}-0.png" for key in "ab" for number in range(10)}
    one, two = (
        membership(parts(with_official(index, official), groups, "ab", OFFICIAL, seed)) for seed in (1, 2)
    )
    tests, firsts = ([{i for i in m if m[i] == part} for m in (one, two)] for part in ("test", "D1"))
    assert tests[0] == tests[1] == official
    assert firsts[0] != firsts[1]


@pytest.mark.parametrize(
    ("official", "message"),
    [
        (
            set(),
            "mine: its source has no test part of its own; set split.protocol to grouped, or leave it out",
        ),
        (
            {f"{key}/{number:02d}-0.png" for key in "ab" for number in range(2)},
            "mine: class a has 2 test groups, a split needs 3 groups (three in test, one in each other part); "
            "leave it out with exclude_classes: {mine: [a]}",
        ),
        (
            {f"{key}/{number:02d}-0.png" for key in "ab" for number in range(6)},
            "mine: class a has 4 groups for training, a split needs 5 groups (three in test, one in each other part); "
            "leave it out with exclude_classes: {mine: [a]}",
        ),
    ],
)
def test_an_official_split_that_cannot_be_had_is_refused(official, message):
    index, groups = collection({"a": [1] * 10, "b": [1] * 10})
    with pytest.raises(UserError) as refused:
        parts(with_official(index, official), groups, "ab", OFFICIAL)
    assert str(refused.value) == message
