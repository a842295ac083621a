"""What the command line lists for a person: data sets and methods."""

from pathlib import Path

from tabulate import tabulate

from weckd.config import DistillationSettings, Suite
from weckd.data.catalogue import Dataset, find_dataset, load_catalogue
from weckd.fitted import fitted_table, fitted_text
from weckd.methods.catalogue import METHODS, find_method
from weckd.methods.chain import WHY_OPEN, Budget, choices, every_combination, one_change_each, suite_budget
from weckd.methods.fits import ClassFrequencies, Fit, Initial, Method

_IN_UNITS_OF_S = Budget(2, 3, 10, DistillationSettings(0.5, 1.0, 4.0, 1.0, 4.0), 3)
"""Two steps a stage, so that half a stage is a whole number."""
_BESIDE_THE_LIST = (
    "S: the steps that each model of the chain is trained for (`training.steps` of a suite).\nBeside these, a suite's "
    "methods may name readings of the chain (`weckd readings`), `pooled-4` and the like, the control of a longer "
    "chain, points of the curves, as `weckd-60` and `pooled-60` (percent of the labels) or `weckd-x3` and `pooled-x3` "
    "(times S), and `panel`: every backbone of the suite's panel on every share of the labels, or one of them, as "
    "`panel-resnet50-30`."
)


def dataset_table(own: Path | None = None, width: int | None = None) -> str:
    """Return a table of all data sets, with those of a catalogue of the user's own; `width` as in `fitted_table`."""
    rows = [
        [d.key, d.title, d.modality, _total(d), len(d.classes), d.licence, _download_text(d)]
        for d in load_catalogue(own).values()
    ]
    headers = ["key", "title", "modality", "images", "classes", "licence", "from"]
    return fitted_table(rows, headers, width, {"title"}, ["from", "classes", "licence"])


def dataset_page(key: str, own: Path | None = None) -> str:
    """Return all that the catalogue says of one data set, and how to get it."""
    dataset = find_dataset(key, own)
    places = [f"{f.path} ({f.official_split})" if f.official_split else f.path for f in dataset.folders]
    files = dataset.download.files if dataset.download else ()
    table, patients = dataset.table, dataset.patients
    columns = (table.image, table.label, table.patient, table.split, table.fold) if table else ()
    facts = {
        "key": dataset.key,
        "title": dataset.title,
        "citation": dataset.citation,
        "modality": dataset.modality,
        "licence": dataset.licence,
        "source": dataset.source,
        "images": _total(dataset),
        "layout": dataset.layout,
        "folders": ", ".join(places),
        "table": f"{table.file} ({', '.join(filter(None, columns))})" if table else "",
        "patients": (patients.file or patients.pattern) if patients else "",
        "files": ", ".join(f"{file.name} (md5 {file.md5})" if file.md5 else file.name for file in files),
        "groups": ": ".join(filter(None, (dataset.groups, dataset.groups_note))),
        "derived from": ", ".join(dataset.derived_from),
    }
    lines = [f"{name:<14} {value}" for name, value in facts.items() if value]
    classes = [
        [entry.key, entry.title, entry.folder or entry.label, entry.count, ", ".join(entry.unverified)]
        for entry in dataset.classes
    ]
    place = "label" if dataset.classes[0].label is not None else "folder"
    headers = ["class", "title", place, "images", "unverified"]
    shown = [n for n in range(len(headers)) if any(row[n] not in (None, "") for row in classes)]
    rows = [[row[n] for n in shown] for row in classes]
    text = tabulate(rows, headers=[headers[n] for n in shown], disable_numparse=[0, 1, 2])  # 1 and 01 are two
    return "\n".join([*lines, "", text, "", _how_to_get(dataset, own)])


def _total(dataset: Dataset) -> str:
    counts = [entry.count for entry in dataset.classes]
    if dataset.phantom:
        return "drawn"
    return "" if None in counts else f"{sum(filter(None, counts)):,}"


def _download_text(dataset: Dataset) -> str:
    if dataset.download is None:
        lies = "this package" if dataset.packaged else "your own folder"
        return "drawn by this suite" if dataset.phantom else lies
    version = f" version {dataset.download.version}" if dataset.download.version else ""
    doi = dataset.download.doi
    return f"doi:{doi}" if doi else f"Kaggle {dataset.download.kaggle}{version}"


def _how_to_get(dataset: Dataset, catalogue: Path | None) -> str:
    key = dataset.key
    if dataset.phantom:
        return "Nothing to get: the suite draws it. It says nothing about the real images."
    own = f"Your own copy, in data_root/{key}/ (or an archive, data_root/{key}.zip): --config data_root=PATH"
    if dataset.packaged:
        return f"In this package (docs/data-sets.md). {own}"
    if dataset.download is None:
        return own
    named = f" --catalogue {catalogue}" if catalogue else ""
    credentials = " with Kaggle credentials (docs/data-sets.md)" if dataset.download.kaggle else ""
    return (
        f"Fetched from {_download_text(dataset)} by the workflow into data/{key}/{credentials}, or by\n"
        f"  weckd fetch --dataset {key}{named} --image-size 224 --out data/{key}/source-224px.json\n{own}"
    )


def method_table(suite: Suite | None, width: int | None = None) -> str:
    """Return the methods with their fits; steps of a suite, or in units of S where none is given.

    `width` is as in `fitted_table`.
    """
    budget = suite_budget(suite) if suite else _IN_UNITS_OF_S
    names = suite.methods if suite else tuple(METHODS)
    rows = []
    for name in names:
        method = find_method(name)(budget)
        steps = _steps_text(method.steps(), budget)
        rows.append([name, method.role, _fits_text(method, budget), steps, method.question])
    fits = "fits (labels; start; teacher; steps)"
    headers = ["method", "role", fits, "steps in all", "the question it answers"]
    table = fitted_table(rows, headers, width, headers[2:], [fits], "grid")
    return table if suite else f"{table}\n{fitted_text(_BESIDE_THE_LIST, width)}"


def _steps_text(steps: int, budget: Budget) -> str:
    return f"{steps / budget.steps:g} S" if budget is _IN_UNITS_OF_S else f"{steps}"


def reading_table(width: int | None = None) -> str:
    """Return each choice that the paper leaves open, its options (the reference first) and why it is open.

    `width` is as in `fitted_table`.
    """
    others, why = (30, 60) if width is None else (None, None)
    rows = [
        [
            name,
            str(options[0]),
            fitted_text(", ".join(str(option) for option in options[1:]), others),
            fitted_text(WHY_OPEN[name], why),
        ]
        for name, options in choices().items()
    ]
    headers = ["choice", "reference (ours)", "other readings", "what in the paper leaves it open"]
    table = fitted_table(rows, headers, width, headers[1:], [], "grid")
    below = (
        f"{len(one_change_each())} readings differ from the reference in one choice; the whole grid has "
        f"{len(every_combination())}.\nRun them: snakemake --cores all readings (the grid: --config readings=full). "
        "In a suite's methods a reading is named by what it changes, as 'start=fresh,attention=none'."
    )
    return f"{table}\n{fitted_text(below, width)}"


def _fits_text(method: Method, budget: Budget) -> str:
    fits = method.fits()
    names = {fit: f"M{number}" for number, fit in enumerate(fits, start=1)}
    lines = [_fit_text(fit, names, budget) for fit in fits]
    floors = [m for members in method.stages for m in members if isinstance(m, ClassFrequencies)]
    lines += [f"class shares of {'+'.join(member.parts)}" for member in floors]
    return "\n".join(lines)


def _fit_text(fit: Fit, names: dict[Fit, str], budget: Budget) -> str:
    def origin(each: Fit | Initial) -> str:
        if isinstance(each, Fit):
            return names[each]
        return "init" if each.member == 1 else f"init, member {each.member}"

    start = f"from {origin(fit.start)}" if isinstance(fit.start, Fit) else origin(fit.start)
    text = f"{names[fit]}: {'+'.join(fit.parts)}; {start}"
    if teachers := " and ".join(origin(teacher) for teacher in fit.teachers):
        text += f"; taught by {teachers} ({fit.loss.text()})"
    elif words := fit.loss.text():
        text += f"; {words}"
    if fit.unlabelled:
        text += f"; {'+'.join(fit.unlabelled)} without labels"
    if fit.gate:
        text += "; with gates"
    if fit.backbone:
        text += f"; {fit.backbone.fetched or fit.backbone.name}"
    if fit.permute_labels:
        text += "; labels shuffled"
    return f"{text}; {_steps_text(fit.steps, budget)}"
