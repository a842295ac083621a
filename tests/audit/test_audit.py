"""The audit of data sets made by hand, number by number, and of the phantoms, whose copies are planted."""

import json

import numpy as np
import pandas as pd
import pytest
from small_suite import toy_suite
from thumbnails import near, noise, soft

from weckd.audit import summary, write_audit
from weckd.audit.findings import find, nearest_neighbour
from weckd.audit.sets import load_set, overlaps, pairs_across
from weckd.config import DatasetFacts
from weckd.data.catalogue import find_dataset
from weckd.data.groups import write_groups
from weckd.data.phantoms import draw
from weckd.data.prepare import prepare
from weckd.errors import UserError
from weckd.places import with_finding


def ears():
    """Return nine images: an exact copy across the official split, a near one, and two conflicts of labels."""
    bright = noise(4) // 2 + 100
    return [
        ("t/1.png", "a", "", "train", noise(1)),
        ("t/2.png", "a", "", "train", noise(2)),
        ("t/3.png", "b", "", "train", noise(3)),
        ("t/4.png", "b", "", "train", bright),
        ("t/5.png", "a", "", "train", near(noise(3), 1)),  # a near copy of 3 with another label
        ("e/6.png", "a", "", "test", noise(1)),  # identical to 1
        ("e/7.png", "a", "", "test", near(noise(2), 2)),  # a near copy of 2, turned
        ("e/8.png", "b", "", "test", noise(8)),  # clean
        ("e/9.png", "a", "", "test", noise(3)),  # identical to 3, with another label
    ]


def test_the_numbers_of_a_set_with_an_official_split(make):
    found = find(load_set(*make("ears", ears())), recorded=True, copied_elsewhere=2)
    assert (found.images, found.distinct, found.exact_pairs, found.near_pairs) == (9, 7, 2, 3)
    # 1 6 | 2 7 | 3 5 9 | 4 | 8
    assert (found.clusters, found.largest_cluster, found.groups) == (5, 3, 5)
    assert (found.conflicts_exact, found.conflicts_near) == (1, 1)
    assert (found.test_part, found.test_images, found.test_identical, found.test_leaked) == (
        "official",
        4,
        2,
        3,
    )
    # 6 finds 1 (right), 9 finds 3 (wrong label); 7 is turned, so raw pixels need not find 2.
    assert found.neighbour_leaked in (1 / 3, 2 / 3)
    assert found.neighbour_clean in (0.0, 1.0)
    assert (found.recorded, found.copied_elsewhere) == ("yes", 2)
    assert (found.patients, found.patients_in_several_classes) == (None, None)


def test_patients_join_clusters_and_may_have_several_classes(make):
    rows = [
        ("1", "a", "p", "", noise(1)),
        ("2", "b", "p", "", noise(2)),
        ("3", "a", "q", "", near(noise(2))),
        ("4", "a", "r", "", noise(4)),
        ("5", "a", "r", "", noise(5)),
    ]
    found = find(load_set(*make("heads", rows)), recorded=None, copied_elsewhere=0)
    assert (found.patients, found.patients_in_several_classes) == (3, 1)
    assert (found.clusters, found.groups, found.recorded) == (4, 2, "not recorded")


def test_the_nearest_neighbour_by_hand(make):
    dark, light = np.zeros((32, 32), dtype=np.uint8), np.full((32, 32), 200, dtype=np.uint8)

    def shade(base, step):
        image = base.copy()
        image[0, :8] += step  # some contrast
        return image

    rows = [
        ("1", "dark", "", "train", shade(dark, 10)),
        ("2", "light", "", "train", shade(light, 10)),
        ("3", "dark", "", "test", np.rot90(shade(dark, 40))),
        ("4", "light", "", "test", np.rot90(shade(light, 50))),
        ("5", "dark", "", "test", noise(1) // 4 + 150),  # nearer to the light one
    ]
    found = nearest_neighbour(load_set(*make("shades", rows)))
    assert found.test.tolist() == [2, 3, 4]
    assert found.right.tolist() == [True, True, False]
    assert found.official


def test_without_an_official_split_a_random_fifth_by_image_is_drawn_once(make):
    rows = [(f"{number}", "ab"[number % 2], "", "", noise(number)) for number in range(20)]
    audited = load_set(*make("many", rows))
    found, again = nearest_neighbour(audited), nearest_neighbour(audited)
    assert len(found.test) == 4
    assert not found.official
    assert found.test.tolist() == again.test.tolist()


def test_all_files_and_the_exact_tables(make, tmp_path):
    sets = [
        make("ears", ears(), left_out=[("t/bad.png", "not an image")]),
        make(
            "copies",
            [("c1", "x", "", "", np.rot90(noise(8))), ("c2", "y", "", "", noise(20))],
            derived_from=["ears"],
            title="Ears, small copy at 64 px",
        ),
        make("strangers", [("s1", "x", "", "", noise(2)), ("s2", "y", "", "", noise(21))]),
        make("blood", [("b1", "x", "", "", noise(1)), ("b2", "y", "", "", noise(22))], modality="microscopy"),
    ]
    recorded = {"ears": True, "copies": False, "strangers": None}
    out = tmp_path / "audit"
    write_audit([p for p, _ in sets], [g for _, g in sets], 0.97, recorded, out)
    assert sorted(file.name for file in out.iterdir()) == sorted(
        [
            *(f"{name}.{kind}" for name in ("audit", "across") for kind in ("csv", "md", "tex", "json")),
            *(
                "pairs.csv",
                "across-pairs.csv",
                "clusters.csv",
                "thresholds.svg",
                "thresholds.png",
                "sums.json",
            ),
            *(f"{key}.png" for key in ("ears", "copies", "strangers", "blood")),
        ]
    )
    assert sorted(json.loads((out / "sums.json").read_text())) == sorted(
        file.name for file in out.iterdir() if file.name != "sums.json"
    )
    rows = [line for line in (out / "audit.md").read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert cells[2] == ["ears", "9 (1 left out)", "7", "5 (3)", "-", "5", "1", "1", "5", "yes"]
    assert cells[3] == ["copies", "2", "2", "2 (1)", "-", "2", "0", "0", "1", "no"]
    assert [row[-1] for row in cells[4:6]] == ["not recorded", "not recorded"]
    assert cells[8][:6] == ["ears", "official", "4", "2", "3", "75%"]
    text = (out / "audit.md").read_text()
    assert "Left out because they cannot be read: ears: t/bad.png (not an image)." in text
    small = "Small copies, not the data sets themselves: copies."
    assert [text.count(small), (out / "across.md").read_text().count(small)] == [3, 1]
    assert "correlate above 0.97 in one of the eight flips and rotations" in text
    assert "phantom" not in text.lower()
    rows = [line for line in (out / "across.md").read_text().splitlines() if line.startswith("|")][2:]
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in rows] == [
        ["ears", "copies", "1 of 9 (11%)", "as declared"],
        ["copies", "ears", "1 of 2 (50%)", "as declared"],
        ["ears", "strangers", "2 of 9 (22%)", "**undeclared: not independent**"],
        ["strangers", "ears", "1 of 2 (50%)", "**undeclared: not independent**"],
        [
            "ears",
            "blood",
            "2 of 9 (22%)",
            "**undeclared: not independent**",
        ],  # identical, in another modality
        ["blood", "ears", "1 of 2 (50%)", "**undeclared: not independent**"],
        ["copies", "strangers", "0 of 2 (0%)", "none found"],
        ["strangers", "copies", "0 of 2 (0%)", "none found"],
    ]
    assert summary(out).startswith("### Audit: copies\n")
    facts = {
        key: DatasetFacts(key, key, "otoscopy", False, ("ears",) * (key == "copies"), ("x", "y"))
        for key in ("strangers", "blood", "copies", "ears")
    }
    suite = with_finding(toy_suite(datasets=tuple(facts), facts=facts), out / "across.csv")
    assert suite.undeclared == {"strangers": ("ears",), "blood": ("ears",)}
    pairs = pd.read_csv(out / "pairs.csv")
    conflict = pairs[pairs["label_conflict"] & (pairs["kind"] == "exact")].iloc[0]
    assert (conflict["image_a"], conflict["image_b"], conflict["class_a"]) == ("t/3.png", "e/9.png", "b")
    assert pairs["crosses_official_test"].sum() == 4  # 1-6, 2-7, 3-9, 5-9
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    write_audit([p for p, _ in sets], [g for _, g in sets], 0.97, recorded, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def variants_of(text):
    """Return the caption and the rows of cells of the table of suspected variants."""
    part = text.partition("### Audit: suspected variants")[2].partition("###")[0]
    rows = [line for line in part.splitlines() if line.startswith("|")]
    caption = " ".join(line for line in part.splitlines() if not line.startswith("|")).strip()
    return caption, [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_suspected_variants_are_counted_shown_and_said_to_be_what_was_searched_for(make, tmp_path):
    others = [(f"o{seed}", "ab"[seed % 2], "", "train", soft(seed)) for seed in range(20)]
    ears = [
        *others,
        ("turned once", "b", "", "test", soft(0, 40)),  # with another label
        ("turned twice", "a", "", "test", soft(0, 110)),
        ("its copy", "a", "", "train", soft(0)[::-1]),  # of one group with o0
        ("alone", "a", "", "test", soft(30)),
    ]
    sets = [
        make("ears", ears),
        make("blood", others, modality="microscopy"),
        make("phantom_x", others, phantom=True),
    ]
    out = tmp_path / "audit"
    write_audit([p for p, _ in sets], [g for _, g in sets], 0.97, {}, out)
    caption, rows = variants_of((out / "audit.md").read_text())
    assert caption == (
        "**Phantom images drawn by this suite: says nothing about the paper's data.** Suspected variants of one "
        "photograph in different groups, for the eye to judge; the search misses some.   - A pair is found where, "
        "registered, its fine detail correlates above 0.9. - Where there is no official test part: a random 20% of the "
        "groups. - Phantoms are not searched: their copies are planted. - Columns: docs/reading-the-tables.md."
    )
    assert rows == [
        ["ears", "5", "4", "23", "21", "3", "2 (67%)"],
        ["blood", "0", "0", "20", "20", "4", "0 (0%)"],
        ["phantom_x", "not searched", "-", "-", "-", "-", "-"],
    ]
    pairs = pd.read_csv(out / "pairs.csv")
    suspected = pairs[pairs["kind"] == "suspected"]
    assert sorted(zip(suspected["image_a"], suspected["image_b"], strict=True)) == [
        ("o0", "turned once"),
        ("o0", "turned twice"),
        ("turned once", "its copy"),
        ("turned once", "turned twice"),
        ("turned twice", "its copy"),
    ]
    assert suspected["label_conflict"].sum() == 3
    assert find(load_set(*sets[0]), None, 0).near_pairs == 1  # the copy alone


def test_a_declared_overlap_that_is_not_there_is_told(make):
    first = load_set(*make("one", [("1", "a", "", "", noise(1)), ("2", "b", "", "", noise(2))]))
    second = load_set(
        *make("two", [("1", "a", "", "", noise(3)), ("2", "b", "", "", noise(4))], derived_from=["one"])
    )
    across = pairs_across([first, second], 0.97)
    assert [item.verdict for item in overlaps([first, second], across)] == ["declared, but not found"] * 2


def test_images_of_one_shade_say_nothing_across_modalities(make):
    black, grey = np.zeros((32, 32), dtype=np.uint8), np.full((32, 32), 90, dtype=np.uint8)
    sets = [
        load_set(*make("ears", [("1", "a", "", "", black), ("2", "b", "", "", noise(1))])),
        load_set(
            *make("blood", [("1", "a", "", "", black), ("2", "b", "", "", grey)], modality="microscopy")
        ),
    ]
    across = pairs_across(sets, 0.97)
    assert across.empty
    assert overlaps(sets, across) == ()


def test_what_does_not_belong_together_is_refused(make, tmp_path):
    prepared, groups = make("ears", ears())
    with pytest.raises(
        UserError, match=r"ears: made with the threshold \[0.97\], not 0.95; make it with `weckd gr"
    ):
        write_audit([prepared], [groups], 0.95, {}, tmp_path / "out")
    with pytest.raises(UserError, match="1 prepared data sets need as many folders of groups, not 2"):
        write_audit([prepared], [groups, groups], 0.97, {}, tmp_path / "out")
    other, _ = make("other", ears()[:4])
    with pytest.raises(UserError, match="groups of other images than"):
        write_audit([other], [groups], 0.97, {}, tmp_path / "out")
    (groups / "pairs.csv").unlink()
    with pytest.raises(
        UserError,
        match=r"pairs.csv: cannot be read \(No such file or directory\); the same",
    ):
        write_audit([prepared], [groups], 0.97, {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


EARS = ("phantom_ear_chile", "phantom_ear_ohio", "phantom_ear_turkiye", "phantom_ear_kaggle")


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    for key in (*EARS, "phantom_blood_cells", "phantom_brain_mri"):
        prepare(find_dataset(key), None, 32, folder / key)
        write_groups(key, folder / key, 0.97, folder / "groups" / key)
    return folder


def load(phantoms, key):
    return load_set(phantoms / key, phantoms / "groups" / key)


@pytest.mark.parametrize("key", [*EARS, "phantom_blood_cells"])
def test_the_audit_of_a_phantom_finds_exactly_the_planted_copies(phantoms, key):
    audited, planted = load(phantoms, key), np.array(draw(key, 32).planted_groups)
    found = audited.index["group_id"].to_numpy()
    assert len(set(zip(found, planted, strict=True))) == len(set(found)) == len(set(planted))
    exact = audited.pairs[audited.pairs["kind"] == "exact"]
    pixels = [image.tobytes() for image in draw(key, 32).images]
    expected = [(a, b) for b in range(len(pixels)) for a in range(b) if pixels[a] == pixels[b]]
    assert sorted(zip(exact["first"], exact["second"], strict=True)) == sorted(expected)
    assert find(audited, None, 0).conflicts_near == 0


def test_a_phantom_of_patients_keeps_each_together(phantoms):
    audited, drawn = load(phantoms, "phantom_brain_mri"), draw("phantom_brain_mri", 32)
    assert find(audited, None, 0).patients == len(set(drawn.given_groups))
    assert audited.index["group_id"].tolist() == drawn.given_groups


def test_copies_across_phantoms_are_those_that_were_planted(phantoms):
    sets = [load(phantoms, key) for key in EARS]
    across = pairs_across(sets, 0.97)
    shared = {(item.dataset, item.other): item for item in overlaps(sets, across)}
    kaggle = EARS[3]
    assert shared[kaggle, EARS[0]].copied == 480  # 3 copies each of 40 originals in four classes
    assert shared[kaggle, EARS[2]].copied == 120  # and in one class
    for (one, other), item in shared.items():
        assert item.declared == (kaggle in (one, other) and EARS[1] not in (one, other))
        assert (item.copied > 0) == item.declared
    # Each copy hangs on pictures of the scene that it was made of, and on no other.
    scene = {
        f"{key}/{image_id}": f"{key.removeprefix('phantom_')}/{group}"
        for key in EARS[:3]
        for image_id, group in zip(draw(key, 32).image_ids, draw(key, 32).planted_groups, strict=True)
    }
    found = across[across["dataset_b"] == kaggle]
    scenes = [scene[f"{a}/{image}"] for a, image in zip(found["dataset_a"], found["image_a"], strict=True)]
    assert pd.Series(scenes).groupby(found["image_b"].to_numpy()).nunique().max() == 1


def test_phantoms_are_named_as_such_in_every_table_and_figure(phantoms, tmp_path):
    keys = EARS[:2]
    write_audit([phantoms / k for k in keys], [phantoms / "groups" / k for k in keys], 0.97, {}, tmp_path)
    for name in ("audit.md", "across.md", "audit.tex"):
        assert "Phantom images drawn by this suite: says nothing about the paper's data." in (
            tmp_path / name
        ).read_text().replace("\n", " ")
    assert "PHANTOM IMAGES DRAWN BY THIS SUITE" in (tmp_path / "thresholds.svg").read_text()
    assert json.loads((phantoms / keys[0] / "dataset.json").read_text())["phantom"]
