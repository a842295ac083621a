"""Pages of a paper: all tables of a run compile, fit the page, and are nowhere smaller than 7 pt."""

import re
import shutil
import subprocess

import pytest
from engine import REPOSITORY, unavailable

from weckd.agreement.freeze import unfreeze
from weckd.analysis.results import read_published
from weckd.analysis.write_tables import write_tables
from weckd.config import load_suite
from weckd.tables.layout import read_layout

pytestmark = pytest.mark.tex
CONFIG = REPOSITORY / "config"
PACKAGES = "texlive-latex-base texlive-latex-recommended"
# Without compression the names of the fonts can be read.
DOCUMENT = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[a4paper,textwidth=170mm,textheight=225mm]{geometry}
\usepackage{array,booktabs}
\pdfcompresslevel=0 \pdfobjcompresslevel=0
\begin{document}
%s\end{document}
"""
OVERFULL = re.compile(r"Overfull \\[hv]box \(([\d.]+)pt too (?:wide|high)\)[^\n]*")
WARNED = re.compile(r"LaTeX Warning: [^\n]*(?:undefined|multiply|too large|Reference|shape)[^\n]*")


@pytest.fixture(scope="module", params=["real", "phantoms"])
def pages(request, tmp_path_factory):
    """Return the log and the PDF of one document with all tables of a reference."""
    if shutil.which("pdflatex") is None:
        unavailable(f"no pdflatex: apt-get install --no-install-recommends {PACKAGES}")
    folder = tmp_path_factory.mktemp(request.param)
    run, tables = folder / "run", folder / "run" / "tables"
    unfreeze(REPOSITORY / "results" / "reference" / request.param, run)
    layout, published = read_layout(CONFIG / "tables.yaml"), read_published(CONFIG / "published.yaml")
    write_tables(load_suite(run / "suite.json"), run, tables, layout, published)
    files = sorted(tables.glob("*.tex"))
    inputs = "".join(f"\\input{{{file}}}\n\\clearpage\n" for file in files)
    (folder / "all.tex").write_text(DOCUMENT % inputs, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    for _ in range(2):  # references to tables are known the second time
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", check=False
        )
        assert done.returncode == 0, done.stdout[-2000:]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    return (folder / "all.log").read_text(errors="replace"), (folder / "all.pdf").read_bytes(), text


def test_every_table_fits_its_page_and_no_reference_is_undefined(pages):
    log, _, _ = pages
    assert [found[0] for found in OVERFULL.finditer(log) if float(found[1]) > 1] == []
    assert WARNED.findall(log) == []


def test_no_text_is_smaller_than_seven_points(pages):
    _, pdf, text = pages
    fonts = {name.decode() for name in re.findall(rb"/BaseFont\s*/[A-Z]{6}\+(\w+)", pdf)}
    assert {"CMR10", "CMR8", "CMR7"} <= fonts
    assert {name for name in fonts if int(re.search(r"\d+$", name)[0]) < 7} == set()
    assert re.findall(r"\\(?:tiny|scalebox|resizebox|fontsize)", text) == []
