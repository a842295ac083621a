"""The whole page as HTML, and its file."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from weckd.config import Suite, load_suite
from weckd.errors import UserError
from weckd.files import write_text
from weckd.places import few_seeds, undeclared_sentence, with_finding
from weckd.report.fill import fill
from weckd.report.first_screen import VERDICTS, answers, banner
from weckd.report.own_tables import NOT_STATED, stated_terms
from weckd.run_files import RunFiles
from weckd.tables.captions import has_phantom


def write_report(run: Path, out: Path) -> None:
    """Write the page of the run in the folder `run` into the file `out`; equal runs give equal bytes.

    Raises:
        UserError: the folder holds no run, or a file of it cannot be read; what is missing is named on the page.
    """
    suite = RunFiles(run).suite
    if not suite.is_file():
        raise UserError(f"{run}: no suite.json; name the folder of a finished run, such as results/demo")
    write_text(out, page(load_suite(suite), run))


def page(suite: Suite, run: Path) -> str:
    """Return the page of a run: one HTML file without scripts that loads nothing.

    Raises:
        UserError: a file of the run cannot be read; what is missing is named instead.
    """
    files = RunFiles(run)
    suite = with_finding(suite, files.across)
    templates = Environment(
        loader=PackageLoader("weckd.report", "template"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    return templates.get_template("page.html").render(
        suite=suite,
        sections=fill(suite, run),
        banner=banner(suite),
        licences=_licences(suite, files) if suite.quick_look else [],
        phantom=has_phantom(suite),
        real=any(not suite.facts[key].phantom for key in suite.datasets),
        undeclared=undeclared_sentence(suite),
        few_seeds=few_seeds(suite),
        level=f"{100 * (1 - suite.analysis.alpha):g} %",
        answers=answers(suite, files.tables / "answers.csv"),
        verdicts=VERDICTS,
    )


def _licences(suite: Suite, files: RunFiles) -> list[str]:
    terms = {key: stated_terms(suite, key, files) for key in suite.datasets}
    return [
        f"{suite.facts[key].title}: {told.licence if told else NOT_STATED}" for key, told in terms.items()
    ]
