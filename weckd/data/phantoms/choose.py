"""Chooses the attempt of every scene, so that no two scenes of a modality are near each other; rewrites scenes.yaml.

Run where a drawing changes: python -m weckd.data.phantoms.choose (a minute). Drawing is quicker without the search, and
its many comparisons could fall differently on another kind of processor; so its result is kept, and the audit's tests
check it.
"""

import numpy as np
import yaml
from numpy.typing import NDArray

from weckd.data.catalogue import find_dataset
from weckd.data.phantoms import PLANS, SCENES_FILE, class_counts
from weckd.data.phantoms.scenes import (
    NEAR,
    SMALL,
    Plan,
    best_correlations,
    draw_scene,
    scene_sizes,
    unit_thumbnails,
)

FAR = 0.962
"""Correlation that pictures of two scenes stay below; clusters are cut at 0.97."""
_ATTEMPTS = 200
_HEADER = """\
# The attempt that each scene of a phantom is drawn from, where it is not the first (0). Written by
# python -m weckd.data.phantoms.choose
"""


def choose_attempts() -> dict[str, dict[int, int]]:
    """Return for each phantom the scenes that are not drawn from attempt 0, with their attempt.

    Raises:
        RuntimeError: no attempt of a scene is far enough from the others.
    """
    seen, chosen = dict[str, NDArray[np.float32]](), dict[str, dict[int, int]]()
    for key, plan in PLANS.items():
        modality = find_dataset(key).modality
        others = seen.get(modality, np.empty((0, SMALL * SMALL), dtype=np.float32))
        chosen[key], seen[modality] = _choose(plan, others)
        print(f"{key}: {len(chosen[key])} scenes drawn again", flush=True)
    return chosen


def _choose(plan: Plan, seen: NDArray[np.float32]) -> tuple[dict[int, int], NDArray[np.float32]]:
    chosen = {}
    for scene, (class_key, size) in enumerate(scene_sizes(plan.key, class_counts(plan.weights))):
        for attempt in range(_ATTEMPTS):
            rows = unit_thumbnails(draw_scene(plan, class_key, scene, attempt, size))
            near = plan.patients or best_correlations(rows, rows[:1]).min() > NEAR
            if near and (not len(seen) or best_correlations(rows, seen).max() < FAR):
                break
        else:
            what = f"{plan.key}: no scene {scene} of class {class_key}"
            raise RuntimeError(f"{what} is far enough from all others")
        if attempt:
            chosen[scene] = attempt
        seen = np.vstack([seen, rows])
    return chosen, seen


if __name__ == "__main__":
    text = yaml.safe_dump(choose_attempts(), sort_keys=False, default_flow_style=None, width=120)
    SCENES_FILE.write_text(_HEADER + text, encoding="utf-8")
