"""Insert tables and figures of a finished run into the Markdown files that show them.

Between `<!-- insert FILE -->` and `<!-- end -->` stands the content of FILE, a path from the repository's root, so
that no number in a document is typed by hand. Run by `make readme`, after `make`.
"""

import json
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md",)
FIGURES = {"results/demo/figures/forest.svg": "docs/images/demo-forest.svg"}
BLOCK = re.compile(r"(<!-- insert (?P<file>\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def inserted(document: str) -> str:
    """Return a document with every block's content taken from its file."""

    def content(block: re.Match[str]) -> str:
        file = ROOT / block["file"]
        if not file.exists():
            sys.exit(f"{file}: not there; make the run first: make")
        text = re.sub(r"^### ", "#### ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        return f"{block[1]}<!-- {device(file.parents[1])} -->\n\n{text.strip()}\n\n{block[3]}"

    return BLOCK.sub(content, document)


def device(run: Path) -> str:
    """Return the device kind that a run's fits were trained on."""
    manifest = next(iter(sorted(run.glob("manifests/*/*.json"))))
    seeds = json.loads(manifest.read_text(encoding="utf-8"))["seeds"]
    return str(next(iter(seeds.values()))["cell"]["device"])


def main() -> None:
    """Rewrite the documents and copy the figures."""
    for name in DOCUMENTS:
        path = ROOT / name
        path.write_text(inserted(path.read_text(encoding="utf-8")), encoding="utf-8")
    for source, target in FIGURES.items():
        shutil.copyfile(ROOT / source, ROOT / target)


if __name__ == "__main__":
    main()
