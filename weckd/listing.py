"""What the command line lists for a person: data sets, methods, and the results of a run."""

from dataclasses import astuple, fields
from pathlib import Path

from tabulate import tabulate

from weckd.config import DistillationSettings, Suite
from weckd.data.catalogue import Dataset, find_dataset, load_catalogue
from weckd.errors import UserError
from weckd.methods.catalogue import METHODS, Budget, suite_budget
from weckd.methods.recipe import ClassFrequencies, Fit, Initial, Method


def dataset_table() -> str:
    """Return a table of all data sets."""
    rows = [
        [d.key, d.title, d.modality, len(d.classes), d.licence, "phantom" if d.phantom else "real"]
        for d in load_catalogue().values()
    ]
    return tabulate(rows, headers=["key", "title", "modality", "classes", "licence", "images"])


def dataset_page(key: str) -> str:
    """Return all that the catalogue says of one data set, a line a field."""
    dataset: Dataset = find_dataset(key)
    lines = []
    for field in fields(dataset):
        value = getattr(dataset, field.name)
        if field.name == "classes":
            lines += [
                f"class          {', '.join(str(v) for v in astuple(entry) if v is not None)}"
                for entry in value
            ]
        else:
            shown = ", ".join(str(item) for item in value) if isinstance(value, tuple) else value
            lines.append(f"{field.name:<14} {'-' if shown in ('', None) else shown}")
    return "\n".join(lines)


def method_table(suite: Suite | None) -> str:
    """Return the methods with their fits; steps of a suite, or in units of S where none is given."""
    budget = suite_budget(suite) if suite else Budget(1, 3, 10, DistillationSettings(0.5, 1.0, 4.0, 1.0, 4.0))
    names = suite.methods if suite else tuple(METHODS)
    unit = "" if suite else " S"
    rows = []
    for name in names:
        method = METHODS[name](budget)
        rows.append([name, method.role, _fits_text(method, unit), f"{method.steps()}{unit}", method.question])
    headers = [
        "method",
        "role",
        "fits (labels; start; teacher; steps)",
        "steps in all",
        "the question it answers",
    ]
    return tabulate(rows, headers=headers, tablefmt="grid", disable_numparse=True)


def _fits_text(method: Method, unit: str) -> str:
    fits = method.fits()
    names = {fit: f"M{number}" for number, fit in enumerate(fits, start=1)}
    lines = [_fit_text(fit, names, unit) for fit in fits]
    floors = [m for members in method.stages for m in members if isinstance(m, ClassFrequencies)]
    lines += [f"class shares of {'+'.join(member.parts)}" for member in floors]
    return "\n".join(lines)


def _fit_text(fit: Fit, names: dict[Fit, str], unit: str) -> str:
    if isinstance(fit.start, Initial):
        start = "init" if fit.start.member == 1 else f"init, member {fit.start.member}"
    else:
        start = f"from {names[fit.start]}"
    text = f"{names[fit]}: {'+'.join(fit.parts)}; {start}"
    if fit.teacher is not None and fit.distillation is not None:
        first, last = fit.distillation.temperature
        temperature = f"T {first:g}" if first == last else f"T {first:g} -> {last:g}"
        attention = f", beta {fit.distillation.beta:g}" if fit.distillation.beta else ", no attention"
        text += f"; taught by {names[fit.teacher]} ({temperature}{attention})"
    if fit.permute_labels:
        text += "; labels shuffled"
    return f"{text}; {fit.steps}{unit}"


def run_summary(folder: Path) -> str:
    """Return the main table of a run and where the rest lies.

    Raises:
        UserError: the folder holds no finished run.
    """
    table = folder / "tables" / "gains.md"
    if not table.exists():
        raise UserError(
            f"{folder}: no {table.relative_to(folder)}; finish the run first: snakemake --cores all"
        )
    return (
        f"\n{table.read_text(encoding='utf-8').rstrip()}\n\n"
        f"tables       {folder / 'tables'} (gains, accuracy, splits, budgets, checks; .csv .md .tex)\n"
        f"figures      {folder / 'figures'} (forest, chain; .svg .png)\n"
        f"predictions  {folder / 'predictions'}\n"
        f"splits       {folder / 'splits'}\n"
        f"fits         {folder.parent / 'fits'}"
    )
