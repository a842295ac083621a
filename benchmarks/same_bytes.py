"""A cell of ear_chile at 224 px, trained twice on this machine: the same bytes, and what the fits cost.

Run: python benchmarks/same_bytes.py --data-root FOLDER --out FOLDER; it exits with 1 where a byte differs.
"""

import argparse
import json
import sys
from pathlib import Path

from workplace import machine, make_workplace


def main() -> int:
    """Train twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, required=True, help="folder that holds ear_chile")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder to write to; stored fits are gone on with"
    )
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=80)
    options = parser.parse_args()
    place = make_workplace(
        options.out / "ear_chile",
        "real-small",
        "ear_chile",
        options.data_root,
        methods=["weckd", "single", "pooled", "sequential"],
        image_size=options.image_size,
        training={"steps": options.steps},
    )
    runs = [place.again(f"training {number}") for number in (1, 2)]
    for run in runs:
        place.train(run)
    stores = [run.store for run in runs]
    first, second = (
        {file.relative_to(store): file for file in store.glob("*/*/*.[ns]*")} for store in stores
    )
    differing = [name for name in first if first[name].read_bytes() != second[name].read_bytes()]
    print(f"{machine()}: {len(first)} files of {len(list(stores[0].glob('*/*/record.json')))} fits")
    for file in stores[0].glob("*/*/record.json"):
        record = json.loads(file.read_text())
        print(record["fit"]["parts"], record["steps_run"], record["seconds"], record["peak_bytes"])
    print("differ:", *differing) if differing else print("every byte is the same")
    return int(bool(differing) or first.keys() != second.keys())


if __name__ == "__main__":
    sys.exit(main())
