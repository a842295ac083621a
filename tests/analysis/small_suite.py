"""A small suite with known gaps, for the tests; `python tests/analysis/small_suite.py` rewrites the golden tables.

Three data sets, five seeds: `toy_three` (phantom, three classes), `toy_two` (two classes, no phantom) and
`toy_copy` (phantom, derived from toy_three). Gaps: toy_copy has no file of seed 3, `pooled` diverged on toy_two
with seed 2, `one-step` predicts exactly what `weckd` does.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from weckd.analysis_plan import AnalysisPlan, Claim, Evidence, Family
from weckd.config import (
    AugmentationSettings,
    BackboneSettings,
    DatasetFacts,
    DistillationSettings,
    PanelSettings,
    SplitSettings,
    Suite,
    TrainingSettings,
    TuningSettings,
    suite_json,
)
from weckd.files import sums_of, write_sums, write_text
from weckd.seeds import generator

GOLDEN = Path(__file__).parent / "golden"
SEEDS = (1, 2, 3, 4, 5)
CLASSES = {"toy_three": ("a", "b", "c"), "toy_two": ("no", "yes"), "toy_copy": ("a", "b", "c")}
# Chance of a right answer, stage by stage; None: labels drawn at random.
SKILL: dict[str, tuple[float | None, ...]] = {
    "weckd": (0.5, 0.65, 0.75),
    "single": (0.5,),
    "pooled": (0.8,),
    "one-step": (0.5, 0.75),
    "full-converged": (0.9,),
    "permuted": (None,),
    "majority": (None,),
}
# The methods of `every_block`, none of them beside its own kind.
EVERY_SKILL: dict[str, tuple[float | None, ...]] = {
    "panel-resnet50-100": (1.0,),
    "majority": (None,),
    "fixmatch": (0.8,),
    "weckd": (0.5, 0.65, 0.75),
    "full-converged": (0.9,),
    "panel-resnet50-30": (0.8,),
    "single": (0.5,),
    "permuted": (None,),
}
ROLES = {
    "weckd": "chain",
    "single": "reference",
    "pooled": "control",
    "one-step": "control",
    "sequential": "control",
    "full-converged": "bar",
    "permuted": "check",
    "majority": "floor",
    "fixmatch": "semi-supervised",
    "panel-resnet50-30": "panel",
    "panel-resnet50-100": "panel",
}
FAMILIES = (
    Family("chain over single", "superiority", "weckd", ("single",)),
    Family("chain over controls", "superiority", "weckd", ("pooled", "sequential", "one-step")),
    Family(
        "chain against supervised", "non-inferiority", "weckd", ("full-converged", "panel-*-100"), "otoscopy"
    ),
    Family("chain against all labels", "non-inferiority", "weckd", ("full-converged",)),
    Family("along the chain", "trend", "weckd"),
    Family("links of the chain", "links", "weckd"),
    Family("each modality over pooled", "superiority", "weckd", ("pooled",), "each modality"),
    Family("each modality over single", "superiority", "weckd", ("single",), "each modality"),
)
CLAIMS = (
    Claim(
        "1: matches supervised methods",
        "on the otoscopic data sets the chain matches existing supervised methods",
        "abstract, v1",
        as_worded=(Evidence("chain against supervised"),),
        for_the_chain=(Evidence("each modality over pooled", over=("otoscopy",)),),
    ),
    Claim(
        "2: generalises to other modalities",
        "it generalises to microscopy and MRI",
        "abstract",
        as_worded=(Evidence("each modality over single", over=("microscopy", "MRI")),),
        for_the_chain=(Evidence("each modality over pooled", over=("microscopy", "MRI")),),
    ),
    Claim(
        "3: gains over a single backbone",
        "gains of up to +23 % over a single backbone",
        "abstract",
        as_worded=(
            Evidence("chain over single", reading="if 10 %"),
            Evidence("chain over controls", ("pooled",), reading="if 30 %"),
        ),
        for_the_chain=(Evidence("chain over controls"),),
        up_to_pp=23.0,
    ),
    Claim(
        "4: each link refines",
        "the chain mitigates the degradation of one-step distillation, and each link refines",
        "abstract",
        as_worded=(Evidence("links of the chain"),),
        for_the_chain=(Evidence("chain over controls", ("one-step",)),),
    ),
    Claim(
        "5: as good as all labels (our reading)",
        "effective learning with a fraction of the labels",
        "abstract",
        as_worded=(Evidence("chain against all labels"),),
        for_the_chain=(Evidence("chain over controls", ("pooled",)),),
    ),
)


def toy_suite(**changes: Any) -> Suite:
    """Return the small suite, with fields changed."""
    facts = {
        key: DatasetFacts(
            key,
            key.replace("_", " "),
            "microscopy" if key == "toy_two" else "otoscopy",
            phantom=key != "toy_two",
            derived_from=("toy_three",) if key == "toy_copy" else (),
            classes=classes,
        )
        for key, classes in CLASSES.items()
    }
    suite = Suite(
        name="toy",
        run="toy",
        datasets=tuple(CLASSES),
        methods=tuple(SKILL),
        seeds=SEEDS,
        seeds_per_job=5,
        image_size=32,
        data_root=None,
        catalogue=None,
        skip_bad=False,
        readings="changes",
        readings_datasets=tuple(CLASSES),
        chain_length=3,
        exclude_classes={},
        groups_threshold=0.97,
        split=SplitSettings(2025),
        backbone=BackboneSettings("test_resnet", "random"),
        backbone_sizes=(),
        panel=PanelSettings((), ()),
        tuning=TuningSettings(16, (1001,)),
        tuned=False,
        training=TrainingSettings(24, 8, 16, 4e-3, 0.05, 0.3, 0.1),
        augmentation=AugmentationSettings(True, 0.0, 0.0, 0.0, 0.0, 0.0),
        distillation=DistillationSettings(0.5, 1.0, 4.0, 1.0, 4.0),
        analysis=AnalysisPlan(
            0.05, 2.0, (1.0, 3.0), 5, "last", ("accuracy", "balanced_accuracy"), FAMILIES, CLAIMS
        ),
        facts=facts,
        roles=ROLES,
        plan_hash="0123456789ab",
    )
    return dataclasses.replace(suite, **changes)


def every_block(**changes: Any) -> Suite:
    """Return a tuned suite with semi-supervised and panel methods, with fields changed."""
    values = {
        "datasets": ("toy_three", "toy_two"),
        "methods": tuple(EVERY_SKILL),
        "panel": PanelSettings((BackboneSettings("resnet50", "a1_in1k"),), (30, 100)),
        "tuning": TuningSettings(16, (1001, 1002)),
        "tuned": True,
    }
    return toy_suite(**(values | changes))


def with_plan(suite: Suite, **changes: Any) -> Suite:
    """Return the suite with fields of its analysis plan changed."""
    return dataclasses.replace(suite, analysis=dataclasses.replace(suite.analysis, **changes))


def cell_frame(
    dataset: str,
    seed: int,
    labels: Mapping[tuple[str, int], NDArray[np.int64]],
    y: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_classes: int,
) -> pd.DataFrame:
    """Return one cell's test predictions, probability 0.9 on each predicted label."""
    frames = []
    for (method, stage), predicted in labels.items():
        frame = pd.DataFrame(
            {
                "dataset": dataset,
                "seed": seed,
                "method": method,
                "stage": stage,
                "split": "test",
                "image_id": [f"image{i:04d}" for i in range(len(y))],
                "group_id": [f"group{g:04d}" for g in groups],
                "y": y,
            }
        )
        for c in range(n_classes):
            share = np.where(predicted == c, 0.9, 0.1 / (n_classes - 1))
            frame[f"p_{c}"] = share.astype(np.float32)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def write_cell(folder: Path, frame: pd.DataFrame) -> Path:
    """Write a cell where the analysis looks for it."""
    file = folder / str(frame["dataset"].iloc[0]) / f"seed{frame['seed'].iloc[0]}.parquet"
    return write_predictions(file, frame)


def write_predictions(file: Path, frame: pd.DataFrame) -> Path:
    """Write predictions as `gather` does, with their sum beside them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(file, index=False)
    write_sums(sums_of(file), [file])
    return file


def write_scores(
    folder: Path,
    dataset: str,
    scores: Mapping[tuple[str, int], NDArray[np.int64]],
    y: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_classes: int,
) -> None:
    """Write seeds 1..k so that each (method, stage) is right exactly where its scores (k, n) are 1."""
    k = len(next(iter(scores.values())))
    for seed in range(1, k + 1):
        labels = {
            cell: np.where(right[seed - 1] == 1, y, (y + 1) % n_classes) for cell, right in scores.items()
        }
        write_cell(folder, cell_frame(dataset, seed, labels, y, groups, n_classes))


def toy_frame(
    dataset: str, seed: int, skill_of: Mapping[str, tuple[float | None, ...]] = SKILL
) -> pd.DataFrame:
    """Return one whole cell of the small suite: 24 images in 15 groups of one to three."""
    n_classes = len(CLASSES[dataset])
    y = np.array([i % n_classes if i < 18 else 0 for i in range(24)])
    groups = np.array([i // 3 if i < 9 else 3 + (i - 9) // 2 if i < 15 else i - 9 for i in range(24)])
    labels = {}
    for method, skills in skill_of.items():
        for stage, skill in enumerate(skills, start=1):
            name = "weckd" if method == "one-step" else method
            draw = generator("toy", dataset, seed, name, stage)
            if method == "majority":
                labels[(method, stage)] = np.zeros_like(y)
            elif skill is None:
                labels[(method, stage)] = draw.integers(0, n_classes, len(y))
            else:
                labels[(method, stage)] = np.where(draw.random(len(y)) < skill, y, (y + 1) % n_classes)
    if "one-step" in skill_of:
        labels[("one-step", 2)] = labels[("weckd", 3)]
    return cell_frame(dataset, seed, labels, y, groups, n_classes)


def write_toy_predictions(folder: Path) -> None:
    """Write the predictions with their gaps."""
    for dataset in CLASSES:
        for seed in SEEDS:
            frame = toy_frame(dataset, seed)
            if (dataset, seed) == ("toy_copy", 3):
                continue
            if (dataset, seed) == ("toy_two", 2):
                frame.loc[frame["method"] == "pooled", ["p_0", "p_1"]] = np.nan
            write_cell(folder, frame)


def write_every_block(folder: Path) -> None:
    """Write the predictions of `every_block`, without gaps."""
    for dataset in every_block().datasets:
        for seed in SEEDS:
            write_cell(folder, toy_frame(dataset, seed, EVERY_SKILL))


def write_toy_splits(folder: Path) -> None:
    """Write splits of 120 images in pairs; seed 1 has one pair less in D3; toy_copy lacks seed 3.

    D2 of toy_two with seed 4 has no image of class yes.
    """
    for dataset, classes in CLASSES.items():
        for seed in SEEDS:
            if (dataset, seed) == ("toy_copy", 3):
                continue
            third = 8 if seed == 1 else 10
            sizes = {"test": 24, "validation": 14, "D1": 8, "D2": 8, "D3": third, "rest": 66 - third}
            frame = pd.DataFrame(
                {
                    "image_id": [f"image{i:04d}" for i in range(120)],
                    "group_id": [f"group{i // 2:04d}" for i in range(120)],
                    "class": [classes[i // 2 % len(classes)] for i in range(120)],
                    "y": [i // 2 % len(classes) for i in range(120)],
                    "part": [part for part, size in sizes.items() for _ in range(size)],
                    "draws": "",
                }
            )
            if (dataset, seed) == ("toy_two", 4):
                frame.loc[frame["part"] == "D2", ["class", "y"]] = [classes[0], 0]
            file = folder / dataset / f"seed{seed}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            frame.to_csv(file, index=False)


def write_toy_run(folder: Path) -> None:
    """Write the small suite as a run: settings, predictions, splits; no manifests."""
    write_text(folder / "suite.json", suite_json(toy_suite()))
    write_toy_predictions(folder / "predictions")
    write_toy_splits(folder / "splits")


def _rewrite_golden() -> None:
    import tempfile

    from weckd.analysis.write_tables import write_tables

    with tempfile.TemporaryDirectory() as name:
        write_toy_run(Path(name))
        write_tables(toy_suite(), Path(name), GOLDEN)
    (GOLDEN / "sums.json").unlink()


if __name__ == "__main__":
    _rewrite_golden()
