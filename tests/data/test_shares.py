"""What the number of images alone says of a split."""

import pytest

from weckd.config import SplitSettings
from weckd.data.shares import least_groups, split_problems

ASKED = "of mine is asked for, its 40 images in 2 classes give"
REMEDY = "set a share that they can give, or leave classes of few groups out with exclude_classes"


def problems(images, classes=("a", "b"), **settings):
    return split_problems("mine", classes, images, SplitSettings(seed=1, **settings))


@pytest.mark.parametrize(("stages", "groups"), [(1, 6), (3, 8), (5, 10)])
def test_a_class_needs_three_groups_for_the_test_part_and_one_for_each_other(stages, groups):
    assert least_groups(stages) == groups


def test_classes_with_fewer_images_than_a_split_needs_groups_are_told():
    few = "a split needs 8 groups (three in test, one in each other part); leave it out with exclude_classes"
    assert problems({"a": 100, "b": 7}) == [f"mine: class b has 7 images, {few}: {{mine: [b]}}"]
    assert problems({"a": 3, "b": 7, "c": 1}) == [
        f"mine: class a has 3 images, {few}: {{mine: [a]}}",
        f"mine: class b has 7 images, {few}: {{mine: [b]}}",
    ]
    assert problems({"a": 100, "b": 8}) == []
    assert problems({"a": 100}) == problems({}) == []  # what is not known is not told


def test_shares_below_one_image_of_each_class_are_told():
    images = {"a": 20, "b": 20}  # 34 not in the test part; 32 in training
    assert problems(images) == []
    assert problems(images, stage=0.04, validation=0.03, test=0.08) == [
        f"split.validation: 3 % of what is not test {ASKED} 5.88 %; {REMEDY}",
        f"split.stage: 4 % of the training part {ASKED} 6.25 %; {REMEDY}",
        f"split.test: 8 % of the images {ASKED} 15 %; {REMEDY}",
    ]
    assert problems(images, stage=0.05, test=0.10) == []  # missed by a quarter and by half
    assert problems(images, test=0.08, protocol="official") == []
