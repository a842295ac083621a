"""What the audit counts where ids, patients or splits are unusual, on sets made by hand."""

import numpy as np
from thumbnails import near, noise

from weckd.audit import write_audit
from weckd.audit.findings import find, in_other_folds, listed_pairs
from weckd.audit.sets import load_set


def numbers(folders):
    return find(load_set(*folders), recorded=None, copied_elsewhere=0)


def test_each_cluster_of_one_patient_is_a_conflict_of_its_own(make):
    rows = [
        ("1", "a", "p", "", noise(1)),
        ("2", "b", "p", "", near(noise(1))),
        ("3", "a", "p", "", noise(2)),
        ("4", "b", "p", "", near(noise(2), 1)),
        ("5", "b", "p", "", noise(3)),
    ]
    found = numbers(make("heads", rows))
    assert (found.conflicts_near, found.conflicts_exact, found.groups) == (2, 0, 1)


def test_a_pair_crosses_patients_only_where_both_are_known(make):
    rows = [
        ("1", "a", "p", "", noise(1)),
        ("2", "a", "", "", near(noise(1))),
        ("3", "a", "p", "", noise(2)),
        ("4", "a", "q", "", near(noise(2))),
    ]
    audited = load_set(*make("heads", rows))
    columns = listed_pairs(audited, audited.pairs)
    found = zip(columns["image_a"], columns["image_b"], columns["crosses_patients"], strict=True)
    assert list(found) == [("1", "2", False), ("3", "4", True)]


def test_ids_are_text_and_never_numbers(make):
    rows = [
        ("001", "a", "7", "", noise(1)),
        ("1", "a", "007", "", noise(2)),
        ("NA", "b", "1e3", "", noise(1)),
    ]
    audited = load_set(*make("numbered", rows))
    assert audited.index["group_id"].tolist() == ["1e3+7", "007", "1e3+7"]
    assert audited.pairs[["first", "second"]].to_numpy().tolist() == [[0, 2]]


def test_an_official_test_part_without_training_images_is_none(make):
    rows = [(f"{number}", "a", "", "test", noise(number)) for number in range(10)]
    found = numbers(make("tests", rows))
    assert (found.test_part, found.test_images, found.neighbour_clean) == ("random", 2, 1.0)


def heads():
    """Return four patients with two images each that are copies of each other; the last resembles the first."""
    images = [(1, "a", "p"), (2, "b", "q"), (3, "a", "r"), (1, "b", "s")]
    return [
        (f"{name}{turn}", label, patient, "", near(noise(seed)) // (1 + turn))
        for name, (seed, label, patient) in zip("1234", images, strict=True)
        for turn in (0, 1)
    ]


def test_the_neighbour_in_other_folds_by_hand(make):
    light = noise(1) // 2
    rows = [
        ("1", "a", "p", "", light),
        ("2", "a", "p", "", light + 100),  # another brightness: the same pattern
        ("3", "b", "q", "", noise(2)),
        ("4", "b", "q", "", 199 - noise(1)),  # the opposite of the first two
        ("5", "c", "r", "", np.full((32, 32), 7, dtype=np.uint8)),  # one shade: correlates with nothing
    ]
    audited = load_set(*make("heads", rows))
    # 1 and 2 find each other, 3 one of them, 4 finds 3; 5 the first of all, as nothing is like it.
    assert in_other_folds(audited, np.array([0, 1, 2, 3, 4])) == 3 / 5
    assert in_other_folds(audited, np.array([0, 0, 1, 1, 2])) == 0


def test_folds_of_whole_patients_are_the_sources_own_and_show_what_a_split_by_image_would_have_learnt(
    make, tmp_path
):
    folds = [fold for fold in "1234" for _ in range(2)]
    found = numbers(make("heads", heads(), folds=folds))
    assert (found.folds, found.pairs_across_patients) == ("4 of the source", 4)
    # Without its own patient's other image a nearest neighbour knows p by s, and s by p, whose class is another.
    audited = load_set(*make("heads", heads(), folds=folds))
    patients = np.repeat(np.arange(4), 2)
    assert found.neighbour_by_patient == in_other_folds(audited, patients) < found.neighbour_by_image
    prepared, groups = make("heads", heads(), folds=folds)
    others = make("ears", [("1", "a", "", "", noise(7)), ("2", "b", "", "", noise(8))])
    write_audit([others[0], prepared], [others[1], groups], 0.97, {}, tmp_path / "out")
    rows = (tmp_path / "out" / "audit.md").read_text().partition("### Audit: patients")[2].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("|")]
    by_image, by_patient = f"{found.neighbour_by_image:.1%}", f"{found.neighbour_by_patient:.1%}"
    assert cells[2:] == [["heads", "4", "8 (4)", by_image, by_patient, "4 of the source"]]


def test_where_the_source_tells_no_folds_or_cuts_patients_they_are_drawn_by_patient(make):
    assert numbers(make("heads", heads())).folds == "4 drawn by patient"
    cut = numbers(make("cut", heads(), folds=list("12123434")))
    assert cut.folds == "4 drawn by patient (the source's cut 4 patients)"
    assert numbers(make("partly", heads(), folds=["1"] * 7 + [""])).folds == "4 drawn by patient"
    assert cut.neighbour_by_patient < cut.neighbour_by_image
    six = [(f"{n}", "ab"[n % 2], f"p{n // 2}" if n else "", "", noise(n)) for n in range(14)]
    assert numbers(make("more", six)).folds == "5 drawn by patient"


def test_without_patients_nothing_is_said_of_them(make, tmp_path):
    rows = [(f"{number}", "ab"[number % 2], "p" * (number == 0), "", noise(number)) for number in range(6)]
    prepared, groups = make("one", rows, folds=list("121212"))
    found = numbers((prepared, groups))
    told = (found.folds, found.pairs_across_patients, found.neighbour_by_image, found.neighbour_by_patient)
    assert told == ("", None, None, None)
    write_audit([prepared], [groups], 0.97, {}, tmp_path / "out")
    assert "Audit: patients" not in (tmp_path / "out" / "audit.md").read_text()
