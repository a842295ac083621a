"""What the audit counts where ids, patients or splits are unusual, on sets made by hand."""

from thumbnails import near, noise

from weckd.audit.findings import find, listed_pairs
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
    columns = listed_pairs(load_set(*make("heads", rows)))
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
