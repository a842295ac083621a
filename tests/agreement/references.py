"""The committed references: which suite files each is of, laid over each other, and what of them people open."""

from pathlib import Path

from weckd.study_suites import official_suite, readings_suite
from weckd.suite_file import resolve_suite

ROOT = Path(__file__).resolve().parents[2]
REFERENCES = ROOT / "results" / "reference"
FILES = {
    name: tuple(ROOT / f"config/{file}.yaml" for file in files)
    for name, files in {
        "demo": ("demo",),
        "phantoms": ("phantoms",),
        "real-small": ("real-small",),
        "real-small-tuned": ("real-small", "real-small-tuned"),
        "real": ("real",),
        "real-curves": ("real", "real-curves"),
        "real-backbones": ("real", "real-backbones"),
        "real-lite1": ("real", "real-backbones", "real-lite1"),
        "real-lite2": ("real", "real-backbones", "real-lite2"),
        "real-regnet": ("real", "real-backbones", "real-regnet"),
    }.items()
}
PLAN_BEFORE = {
    "demo": "27c48c5c1183",
    "phantoms": "d73792ed5ea7",
    "real-small": "e8535ce78ab4",
    "real-small-tuned": "dad93424095a",
    "real": "4e34cb21502a",
    "real-small-official": "fd3be8c6f511",
    "real-curves": "f689b79c4a12",
    "real-backbones": "c316a997565e",
    "real-readings": "7317b2b98d35",
    "real-lite1": "e65e52a31019",
    "real-lite2": "979d272f4a62",
    "real-regnet": "e65e52a31019",
}
"""The plan that was there before the run; no later freezing changes it."""
OFFICIAL, READINGS = "real-small-official", "real-readings"
STUDIES = {
    OFFICIAL: official_suite(resolve_suite(FILES["real-small"], {})),
    READINGS: readings_suite(resolve_suite([ROOT / "config/real.yaml"], {})),
}
WITH_REPORT = ("real-small", "real")
