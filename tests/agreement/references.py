"""The committed references: which suite files each is of, laid over each other, and what of them people open."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "results" / "reference"
FILES = {
    name: tuple(ROOT / f"config/{file}.yaml" for file in files)
    for name, files in {
        "demo": ("demo",),
        "phantoms": ("phantoms",),
        "real-small": ("real-small",),
        "real-small-tuned": ("real-small", "real-small-tuned"),
        "real-medium": ("real-small", "real-medium"),
        "real-medium-tuned": ("real-small", "real-medium", "real-medium-tuned"),
    }.items()
}
PLAN_BEFORE = {
    "demo": "27c48c5c1183",
    "phantoms": "d73792ed5ea7",
    "real-small": "e8535ce78ab4",
    "real-small-tuned": "dad93424095a",
    "real-medium": "11183ba52514",
    "real-medium-tuned": "de5a31e5e423",
    "real-small-official": "fd3be8c6f511",
}
"""The plan that was there before the run; no later freezing changes it."""
OFFICIAL = "real-small-official"  # derived from real-small
WITH_REPORT = ("real-small", "real-medium")
