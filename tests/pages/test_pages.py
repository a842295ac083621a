"""Finished pages in headless Chromium: accessible, no wider than a phone, and whole on A4 paper."""

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from chromium import chromium
from engine import REPOSITORY, unavailable

pytestmark = pytest.mark.pages
HERE = Path(__file__).parent
FOUND = (HERE / "found.js").read_text(encoding="utf-8")
AXE = "axe.run({resultTypes: ['violations']}).then((found) => found.violations.map((rule) => "
AXE += "[rule.impact, rule.id, ...rule.nodes.map((node) => node.html.slice(0, 200))]))"
PAPER = 182, 269  # mm of an A4 page within its margins
MM = 96 / 25.4  # pixels of CSS
PAGES = sorted(REPOSITORY.glob("results/reference/*/report.html"))
PAGES += [REPOSITORY / "results" / run / "report.html" for run in ("demo", "phantoms")]


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    if not shutil.which("chromium"):
        unavailable("needs Chromium (apt-get install chromium)")
    with chromium(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """Return the source of axe-core, of the version and digest in package-lock.json."""
    if not shutil.which("npm"):
        unavailable("needs npm, for axe-core (apt-get install npm)")
    folder = tmp_path_factory.mktemp("axe")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        unavailable(f"npm cannot install axe-core: {done.stderr.strip()}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(params=PAGES, ids=lambda page: page.parent.name)
def page(request):
    if not request.param.is_file():
        unavailable(f"needs the finished run {request.param.parent.relative_to(REPOSITORY)}")
    return request.param


@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_can_be_read_by_everyone_and_scrolls_down_only(tab, axe, page, width):
    tab.open(page, width)
    for everything in ("false", "true"):
        found = tab.evaluate(f"({FOUND})({everything})")
        assert found["beyond"] == 0
        assert found["boxes"] > 20
        assert found["silent"] == []  # of those that scroll, each says so
        assert found["broken"] == []
    tab.evaluate(f"{axe}; 0")
    found = tab.evaluate(AXE)
    assert [rule for rule in found if rule[0] in ("serious", "critical")] == []


def test_a_key_shows_all_columns_of_a_table_and_the_focus_is_seen(tab, page):
    tab.open(page, 1280)
    shown = "[...document.querySelectorAll('.all ~ .wide th.x')].filter((x) => x.checkVisibility()).length"
    focus = "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])"
    assert tab.evaluate(shown) == 0
    tab.evaluate("document.querySelector('.all').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call(
            "Input.dispatchKeyEvent", type=kind, key=" ", code="Space", text=" ", windowsVirtualKeyCode=32
        )
    assert tab.evaluate(shown) > 0
    assert tab.evaluate(f"{focus}(getComputedStyle(document.activeElement))") == ["solid", "2px"]


def test_a_page_is_whole_on_paper(tab, page):
    width, height = (round(side * MM) for side in PAPER)
    tab.open(page, width, "print")
    found = tab.evaluate(f"({FOUND})(true)")
    assert found["scrolls"] == []
    assert found["beyond"] == 0
    assert found["highest"] < height
    pdf = base64.b64decode(tab.call("Page.printToPDF", preferCSSPageSize=True)["data"])
    [(wide, high)] = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf))
    assert (round(float(wide)), round(float(high))) == (595, 842)  # points of A4
