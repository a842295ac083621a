"""Time and memory of the whole analysis, all tables and figures, on simulated predictions.

Six data sets x 20 methods x 20 seeds x 1,000 test images (and 500 validation images). The goal is three minutes and
2 GB on two cores, tables and figures side by side as the workflow runs them. Smaller sizes show how it grows.

Run: python benchmarks/analysis.py (ten minutes); it writes benchmarks/analysis.md.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tabulate import tabulate

from weckd.config import Suite, suite_json
from weckd.files import sums_of, write_sums
from weckd.seeds import generator
from weckd.suite_file import resolve_suite

ROOT = Path(__file__).resolve().parents[1]
STAGES = {
    "weckd": 3,
    "single": 1,
    "single-long": 1,
    "pooled": 1,
    "sequential": 3,
    "ensemble": 1,
    "one-step": 2,
    "chain-plain": 3,
    "chain-dense": 3,
    "attention-only": 3,
    "born-again": 3,
    "born-again-pooled": 3,
    "mutual": 1,
    "snapshot": 1,
    "pseudo-label": 2,
    "mean-teacher": 1,
    "full": 1,
    "full-converged": 1,
    "permuted": 1,
    "majority": 1,
}
SIZES = ((5, 200), (10, 500), (20, 1000))  # seeds, test images


def simulated_run(folder: Path, seeds: int, n_images: int) -> Suite:
    """Write a run whose logits are those of images of unlike difficulty, with effects of seed and method."""
    suite = resolve_suite(
        [ROOT / "config" / "paper.yaml"], {"seeds": list(range(1, seeds + 1)), "methods": list(STAGES)}
    )
    folder.mkdir(parents=True)
    (folder / "suite.json").write_text(suite_json(suite), encoding="utf-8")
    for key in suite.datasets:
        classes = suite.facts[key].classes
        counts = {"test": n_images, "validation": n_images // 2}
        fixed = generator("analysis benchmark", key)
        y = {part: np.arange(n) % len(classes) for part, n in counts.items()}
        hard = {part: fixed.normal(size=(n, len(classes))) for part, n in counts.items()}
        for seed in suite.seeds:
            write_cell(folder, key, seed, classes, y, hard)
    return suite


def write_cell(
    folder: Path,
    key: str,
    seed: int,
    classes: tuple[str, ...],
    y: dict[str, np.ndarray],
    hard: dict[str, np.ndarray],
) -> None:
    frames = []
    for number, (method, stages) in enumerate(STAGES.items()):
        for stage in range(1, stages + 1):
            draw = generator("analysis benchmark", key, seed, method, stage)
            skill = 1.0 + 0.05 * number + 0.2 * stage + 0.2 * draw.normal()
            for part, labels in y.items():
                logits = hard[part] + draw.normal(size=hard[part].shape)
                logits[np.arange(len(labels)), labels] += skill
                exponentials = np.exp(logits)
                values = (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32)
                frames.append(
                    pd.DataFrame(
                        {
                            "dataset": key,
                            "seed": seed,
                            "method": method,
                            "stage": stage,
                            "split": part,
                            "image_id": [f"{part}{i:05d}" for i in range(len(labels))],
                            "group_id": [f"{part}{i * 2 // 3:05d}" for i in range(len(labels))],
                            "y": labels,
                            **{f"p_{c}": values[:, c] for c in range(len(classes))},
                        }
                    )
                )
    whole = pd.concat(frames, ignore_index=True)
    (folder / "predictions" / key).mkdir(parents=True, exist_ok=True)
    file = folder / "predictions" / key / f"seed{seed}.parquet"
    whole.to_parquet(file, index=False)
    write_sums(sums_of(file), [file])
    images = whole.drop_duplicates("image_id")
    parts = [images[["image_id", "group_id", "y", "split"]].rename(columns={"split": "part"})]
    for part in ("D1", "D2", "D3", "rest"):
        names = [f"{part}{i:05d}" for i in range(len(images) // 5)]
        y_part = np.arange(len(names)) % len(classes)
        parts.append(pd.DataFrame({"image_id": names, "group_id": names, "y": y_part, "part": part}))
    split = pd.concat(parts, ignore_index=True)
    split["class"] = [classes[label] for label in split["y"]]
    split["draws"] = ""
    (folder / "splits" / key).mkdir(parents=True, exist_ok=True)
    columns = ["image_id", "group_id", "class", "y", "part", "draws"]
    split[columns].to_csv(folder / "splits" / key / f"seed{seed}.csv", index=False)


def measured(run: Path) -> list[str]:
    """Run the commands side by side; return the seconds of each and of all, and the largest memory of one."""
    code = (
        "import resource, sys, time; from weckd.cli import main; start = time.perf_counter()\n"
        "code = main(sys.argv[1:])\n"
        "print(code, time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    start = time.perf_counter()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, name, "--run", run, "--out", run / name],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("tables", "figures")
    ]
    outputs = [process.communicate()[0].split() for process in started]
    seconds = time.perf_counter() - start
    assert [output[0] for output in outputs] == ["0", "0"]
    times = [f"{float(output[1]):.0f}" for output in outputs]
    memory = [f"{float(output[2]):.0f}" for output in outputs]
    return [*times, f"{seconds:.0f}", *memory]


def main() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    rows = []
    for seeds, n_images in SIZES:
        with tempfile.TemporaryDirectory() as name:
            run = Path(name) / "run"
            suite = simulated_run(run, seeds, n_images)
            size = f"{len(suite.datasets)} x {len(suite.methods)} x {seeds} x {n_images:,}"
            rows.append([size, *measured(run)])
            print(rows[-1], flush=True)
    headers = ["data sets x methods x seeds x images", "tables, s", "figures, s", "both side by side, s"]
    table = tabulate(
        rows,
        headers=[*headers, "tables, peak MB", "figures, peak MB"],
        tablefmt="pipe",
        disable_numparse=True,
    )
    text = (
        "# The whole analysis on simulated predictions\n\n"
        f"All tables and all figures from predictions alone, one process each, side by side on {os.cpu_count()} cores "
        f"({platform.machine()}), NumPy {np.__version__}, one run a size. Made by `python benchmarks/analysis.py`. "
        f"Goal: 180 s and 2,000 MB at the largest size. No manifests and no attention maps: what is made of those says "
        f"that they are missing.\n\n{table}\n"
    )
    print(text)
    Path(__file__).with_suffix(".md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
