"""What can be known of a suite before any job runs, told alike by every command and by the workflow."""

from pathlib import Path

from weckd.config import Suite
from weckd.data.catalogue import find_dataset
from weckd.data.shares import images_of_classes, split_problems
from weckd.errors import UserError
from weckd.methods.catalogue import suite_methods
from weckd.training.possible import network_problems, suite_shapes


def refuse_impossible(suite: Suite, results: Path = Path("results")) -> None:
    """Refuse a suite that a later job would.

    Args:
        suite: settings of the run.
        results: folder of results, where what is known of networks is kept if it is there.

    Raises:
        UserError: a network cannot be had, or do what fits ask of it; a class has too few images for a split, or a
            part cannot have its share. The message has a line each, which begins with the key.
    """
    fits = [fit for method in suite_methods(suite) for fit in method.fits()]
    problems = network_problems(suite, fits, suite_shapes(suite, results))
    own = Path(suite.catalogue) if suite.catalogue else None
    root = Path(suite.data_root) if suite.data_root else None
    for key, facts in suite.facts.items():
        images = images_of_classes(find_dataset(key, own), root, suite.image_size)
        problems += split_problems(key, facts.classes, images, suite.split)
    if problems:
        raise UserError("\n".join(problems))
