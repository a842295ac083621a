"""What a split needs of each class, and what the number of images alone says of it."""

from collections.abc import Mapping, Sequence

from weckd.config import SplitSettings
from weckd.errors import UserError, counted

TEST_GROUPS, OTHER_GROUPS = 3, 1
"""Groups of each class that a test part, and any other part, must hold at least."""
TOLD, REFUSED = 0.1, 0.5
"""How far a part may miss its share, as a part of that share, before it is told, and before it is refused; the
committed suites need 0.19."""


def least_groups(stages: int) -> int:
    """Return the groups of a class that a split needs: for test, validation, each stage and the rest."""
    return TEST_GROUPS + OTHER_GROUPS * (stages + 2)


def too_few(dataset: str, class_key: str, found: str, needed: int) -> str:
    """Return what is told of a class that no split can hold.

    Args:
        dataset: key of the data set.
        class_key: the class.
        found: what it has, such as "3 groups".
        needed: groups.
    """
    return (
        f"{dataset}: class {class_key} has {found}, a split needs {needed} groups "
        f"(three in test, one in each other part); leave it out with exclude_classes: {{{dataset}: [{class_key}]}}"
    )


def split_problems(
    dataset: str, classes: Sequence[str], images: Mapping[str, int], split: SplitSettings
) -> list[str]:
    """Return why no split can hold a data set's classes, or give a part its share, whatever its groups are.

    Args:
        dataset: key of the data set.
        classes: the kept classes.
        images: number of images of each class, where it is known.
        split: sizes of the parts.
    """
    needed = least_groups(split.stages)
    known = {key: images[key] for key in classes if key in images}
    few = [
        too_few(dataset, key, counted(count, "image"), needed)
        for key, count in known.items()
        if count < needed
    ]
    if few or len(known) < len(classes):
        return few
    # At least one group, of at least one image, of each class in each part, and three of them in the test part.
    number, total = len(classes), sum(known.values())
    rest = total - (TEST_GROUPS * number if split.protocol == "grouped" else 0)
    least = {
        "validation": OTHER_GROUPS * number / rest,
        "stage": OTHER_GROUPS * number / (rest - OTHER_GROUPS * number),
    }
    if split.protocol == "grouped":
        least["test"] = TEST_GROUPS * number / total
    wanted = {key: getattr(split, key) for key in least}
    return [
        share_problem(dataset, key, wanted[key], share, f"{total} images in {number} classes")
        for key, share in least.items()
        if share > wanted[key] and missed(wanted[key], share) > REFUSED
    ]


def refuse_more_than_all(split: SplitSettings) -> None:
    """Refuse disjoint stages that take more than the training part.

    Raises:
        UserError: they do.
    """
    if split.stages * split.stage > 1 + 1e-9:  # rounding of 3 * 1/3
        raise UserError(
            f"split.stage: {split.stages} stages of {split.stage:g} are {split.stages * split.stage:g} of the training "
            f"part, which is 1; set split.stage to {int(1000 / split.stages) / 1000:g} or less"
        )


def missed(wanted: float, share: float) -> float:
    """Return by how much a share differs from what was wanted, as a part of that; rounded to ten digits."""
    return round(abs(share / wanted - 1), 10)


def share_problem(dataset: str, key: str, wanted: float, share: float, found: str) -> str:
    """Return what is told of a part that cannot have its share.

    Args:
        dataset: key of the data set.
        key: of the split's settings: test, validation or stage.
        wanted: the share that is set.
        share: the one that comes nearest.
        found: what gives it, such as "groups of seed 1 (D5)".
    """
    whole = {"test": "the images", "validation": "what is not test", "stage": "the training part"}[key]
    return (
        f"split.{key}: {100 * wanted:.3g} % of {whole} of {dataset} is asked for, its {found} give "
        f"{100 * share:.3g} %; set a share that they can give, or leave classes of few groups out with exclude_classes"
    )
