"""Images of a data set that are copies of those that an exported network was trained, calibrated or tested on."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weckd.data.catalogue import load_catalogue, made_from
from weckd.data.duplicates import pairs_between
from weckd.data.prepared import FACTS, read_facts, read_images, read_thumbnails
from weckd.errors import UserError
from weckd.models.folder import PARTS, Origin, image_hashes


def prepared_folder(origin: Origin) -> Path:
    """Return where the run of a network has the images that it was trained on, from the run's folder on."""
    return Path("results", "data", f"{origin.dataset}-{origin.image_size}px")


def trained_images(origin: Origin, trained_on: Path | None) -> Path | None:
    """Return the folder of the prepared images that the network was trained on; None where it is not at hand.

    Raises:
        UserError: one is named, and holds others or none.
    """
    place = prepared_folder(origin)
    if trained_on is None:  # of a run with skip_bad, too
        places = (place, place.with_name(f"{place.name}-skip-bad"))
        there = (each for each in places if (each / FACTS).exists())
        return next((each for each in there if read_facts(each)["fingerprint"] == origin.fingerprint), None)
    if not (trained_on / FACTS).exists():
        wanted = f"name the folder of those that it was trained on, as {place} of the run's folder"
        raise UserError(f"--trained-on {trained_on}: holds no prepared images; {wanted}")
    if read_facts(trained_on, origin.dataset)["fingerprint"] != origin.fingerprint:
        raise UserError(
            f"{trained_on}: not the images that the network was trained on; name those with --trained-on, or leave it "
            "out"
        )
    return trained_on


def refuse_unknown_copies(origin: Origin, key: str, catalogue: Path | None, own: Path | None) -> None:
    """Refuse a data set of a common source with the network's own, unless near-duplicates can be looked for.

    Raises:
        UserError: they cannot.
    """
    known = load_catalogue(catalogue)
    if own is None and {key, *made_from(key, known)} & {origin.dataset, *made_from(origin.dataset, known)}:
        raise UserError(
            f"{key}: has images of the source of {origin.dataset}, which the network was trained on, and near-"
            f"duplicates of those cannot be looked for: {lacking(prepared_folder(origin))}"
        )


def lacking(looked_in: Path) -> str:
    """Return why near-duplicates cannot be looked for, and the remedy."""
    return (
        f"{looked_in} has not the images that it was trained on; name their folder with --trained-on FOLDER, or "
        "evaluate from the folder of the run"
    )


def copies_of_seen(
    origin: Origin,
    images: NDArray[np.uint8],
    thumbnails: NDArray[np.uint8],
    folder: Path | None,
    threshold: float,
) -> dict[tuple[str, str], NDArray[np.bool_]]:
    """Return which images (n,) are copies of some that the network knows, by their part and kind (exact, near)."""
    hashes = image_hashes(images)
    found = {(part, "exact"): np.isin(hashes, origin.seen[part]) for part in PARTS}
    if folder is None:
        return found
    facts = read_facts(folder)
    own, own_hashes = read_thumbnails(folder, facts), image_hashes(read_images(folder, facts))
    for part in PARTS:
        pairs = pairs_between(own[np.isin(own_hashes, origin.seen[part])], thumbnails, threshold)
        near = np.zeros(len(images), dtype=np.bool_)
        near[pairs.rows[:, 1]] = True
        found[part, "near"] = near & ~found[part, "exact"]
    return found
