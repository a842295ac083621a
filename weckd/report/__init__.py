"""One self-contained HTML page of a finished run, made from the run's files alone."""

from pathlib import Path

from weckd.config import load_suite
from weckd.errors import UserError
from weckd.files import write_text
from weckd.report.page import page
from weckd.run_files import RunFiles


def write_report(run: Path, out: Path) -> None:
    """Write the page of the run in the folder `run` into the file `out`; equal runs give equal bytes.

    Raises:
        UserError: the folder holds no run, or a file of it cannot be read; what is missing is named on the page.
    """
    suite = RunFiles(run).suite
    if not suite.is_file():
        raise UserError(f"{run}: no suite.json; name the folder of a finished run, such as results/demo")
    write_text(out, page(load_suite(suite), run))
