"""The chain by this suite and as a user would write it today, whole machine against whole machine.

This suite: images prepared once, then one job a seed, as many side by side as there are cores (`weckd prepare`,
`weckd train`). The others (`user_loop.py`): one process with all threads, timm's loader with as many workers as there
are cores, one seed after another. All times are of whole processes, imports included, made in turns. The goal is 1.8
on two cores at 64 px.

Run: python benchmarks/side_by_side.py --data-root FOLDER; it writes benchmarks/side-by-side.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import pandas as pd
from tabulate import tabulate
from workplace import FOLDER, Workplace, machine, make_workplace

from weckd.data.splits import read_split
from weckd.run_files import RunFiles

NETWORKS = {"test_resnet": "random", "tf_efficientnet_lite0": "imagenet"}
OTHERS = ("timm", "torchdistill")
DATASET = "ear_chile"


def main() -> None:
    """Measure in turns and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help=f"folder that holds {DATASET}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=80, help="of each model (80)")
    parser.add_argument("--image-size", type=int, default=64)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    rows = []
    for network, init in NETWORKS.items():
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            place = make_workplace(
                folder,
                "real-small",
                DATASET,
                options.data_root,
                methods=["weckd"],
                seeds=list(range(1, cores + 1)),
                image_size=options.image_size,
                backbone={"name": network, "init": init},
                training={"steps": options.steps},
            )
            link_image_folders(place, options.data_root / DATASET)
            rounds = [measured(place, options.data_root, cores, number) for number in range(options.rounds)]
        for other in OTHERS:
            ratios = [times[other] / times["suite"] for times in rounds]
            rows.append(
                {
                    "network": network,
                    "losses of the other": other,
                    "this suite, s": f"{median(times['suite'] for times in rounds):.1f}",
                    "of it prepare, s": f"{median(times['prepare'] for times in rounds):.1f}",
                    "the other, s": f"{median(times[other] for times in rounds):.1f}",
                    "ratio, median (range)": f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
                }
            )
            print(rows[-1], flush=True)
    text = (
        "# The chain, side by side with what a user would write today\n\n"
        f"M1 -> M2 -> M3 on {DATASET} at {options.image_size} px, {options.steps} steps a model, batches of 16, "
        f"{cores} seeds; whole processes, {options.rounds} rounds in turns, on {machine()}. Made by "
        f"`python benchmarks/side_by_side.py`. Goal on two cores: 1.8.\n\n"
        f"{tabulate(pd.DataFrame(rows), headers='keys', tablefmt='pipe', showindex=False, disable_numparse=True)}\n"
    )
    (FOLDER / "side-by-side.md").write_text(text, encoding="utf-8")


def link_image_folders(place: Workplace, images: Path) -> None:
    """Make seed/part/class folders of links to the image files, as timm's datasets read them."""
    classes = place.suite.facts[DATASET].classes
    for seed in place.suite.seeds:
        split = read_split(place.run.split(DATASET, seed))
        for row in split[split["part"] != "rest"].itertuples():
            # Two folders of the source may hold files of one name.
            name = row.image_id.replace("/", "-")
            target = place.folder / "images" / f"seed{seed}" / row.part / classes[row.y] / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(images / row.image_id)


def measured(place: Workplace, data_root: Path, cores: int, number: int) -> dict[str, float]:
    """Return seconds of the suite's processes and of each other's."""
    run = place.again(f"round {number}")
    run.data.unlink()  # a link: preparing is part of it
    prepared = run.prepared(place.suite, DATASET)
    prepare = [*weckd("prepare"), "--source", str(data_root / DATASET), "--out", str(prepared)]
    prepare += ["--image-size", str(place.suite.image_size), "--jobs", str(cores)]
    times = {"prepare": seconds([prepare])}
    times["suite"] = times["prepare"] + seconds([train(run, seed) for seed in place.suite.seeds])
    for other in OTHERS:
        times[other] = seconds([user_loop(place, other, cores)])
    return times


def weckd(command: str) -> list[str]:
    return [sys.executable, "-m", "weckd", command, "--dataset", DATASET]


def train(run: RunFiles, seed: int) -> list[str]:
    return [*weckd("train"), "--run", str(run.folder), "--seeds", str(seed)]


def user_loop(place: Workplace, losses: str, cores: int) -> list[str]:
    suite = place.suite
    classes = suite.facts[DATASET].classes
    settings = {
        "network": suite.backbone.name,
        "classes": len(classes),
        "class_map": {name: number for number, name in enumerate(classes)},
        "image_size": suite.image_size,
        "batch_size": suite.training.batch_size,
        "steps": suite.training.steps,
        "learning_rate": suite.training.learning_rate,
    }
    script = [sys.executable, str(FOLDER / "user_loop.py"), "--folder", str(place.folder / "images")]
    machine_wide = ["--threads", str(cores), "--workers", str(cores)]
    return [*script, "--settings", json.dumps(settings), "--losses", losses, *machine_wide]


def seconds(commands: list[list[str]]) -> float:
    """Return the seconds until all commands, started together, have ended."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    began = time.perf_counter()
    running = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for command in commands
    ]
    for process in running:
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(f"{process.args}: {errors}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
