"""From suite files and command-line values to one checked `Suite`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from weckd.analysis_plan import MARGIN_METRICS, AnalysisPlan
from weckd.config import (
    DatasetFacts,
    SplitSettings,
    Suite,
    SuiteFile,
    SuiteKeys,
    neutral_keys,
    without_later_keys,
)
from weckd.data.catalogue import (
    Dataset,
    find_dataset,
    load_catalogue,
    made_from,
    own_entries,
    suite_datasets,
    twice,
)
from weckd.data.shares import refuse_more_than_all
from weckd.declared import checked, near, plain, wanted
from weckd.errors import UserError
from weckd.files import digest
from weckd.methods.catalogue import PANEL, find_method, panel_names, suite_methods
from weckd.methods.fits import Method
from weckd.yaml_files import parse_yaml, read_yaml

DEFAULTS: Mapping[str, Any] = {
    "data_root": None,
    "catalogue": None,
    "skip_bad": False,
    "exclude_classes": {},
    "readings": "changes",
    "backbone_sizes": [],
    "panel": {"backbones": [], "labels": [10, 30, 100]},
    "tuning": {"trials": 16, "seeds": [1001, 1002], "finalists": 4, "share_of_steps": 1.0},
    "tuned": False,
}


def resolve_suite(files: Sequence[Path], changes: Mapping[str, Any]) -> Suite:
    """Return the suite that `files` (later ones win, key by key) and command-line `changes` describe.

    Values in `changes` may be texts, as a shell passes them. A run whose results could differ from the files' own
    gets a folder of its own, `<suite>+<hash>`.

    Raises:
        UserError: a file cannot be read, a key is unknown or has a wrong value, or a data set, class or method is not
            known.
    """
    base, values = _read(files, changes)
    source = ", ".join(str(file) for file in files)
    before, after = _complete(base), _complete(values)
    _checked(base, f"{source}: not a valid suite")
    file = _checked(values, f"{source} with command-line values: not a valid suite")
    narrowed = _identity(after) != _identity(before)
    suite = _suite(file, after, f"{file.suite}+{digest(_identity(after))[:8]}" if narrowed else file.suite)
    for problem in _contradictions(suite):
        raise UserError(problem)
    declared = suite_methods(suite)
    _refuse_impossible_methods(suite, declared)
    return replace(suite, roles={method.name: method.role for method in declared})


def telling_changes(files: Sequence[Path], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the command-line changes of values that are others in the files."""
    before, after = map(_complete, _read(files, changes))
    return {key: value for key, value in changes.items() if before.get(key) != after.get(key)}


def parse_changes(changes: Sequence[str]) -> dict[str, Any]:
    """Return command-line changes KEY=VALUE as a mapping; values are YAML, of which JSON is a part.

    Raises:
        UserError: a change is not of that form, or a key is given twice.
    """
    parsed: dict[str, Any] = {}
    for change in changes:
        key, separator, text = change.partition("=")
        if not separator:
            raise UserError(f"--config {change}: must be KEY=VALUE")
        above, dot, below = key.partition(".")
        if dot:
            written = f"{above}='{{{below}: {text}}}'"
            raise UserError(f"--config {change}: a key below another is written as {written}")
        if key in parsed:
            raise UserError(f"--config {key}: is given twice; give it one value")
        parsed[key] = value = parse_yaml(text, f"--config {key}")
        plain_text = "" if value is None else value
        written = "" if text.strip().lower() in ("~", "null") else text.strip()
        if isinstance(plain_text, str) and written != plain_text and written[:1] not in ("'", '"'):
            raise UserError(
                f"--config {key}: of {written!r} only {plain_text!r} would be read; write {key}='\"{written}\"'"
            )
    return parsed


def _read(files: Sequence[Path], changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the files say, and what they say with the changes."""
    _refuse_bare_lists(changes)
    base: dict[str, Any] = {}
    for path in files:
        read = _with_plan(_read_mapping(path, "name a suite file from config/"), path.parent)
        base = _merged(base, plain(SuiteFile, read))
    typed = plain(SuiteFile, changes, lambda text: parse_yaml(text, f"command-line value {text!r}"))
    return base, _merged(base, _with_plan(typed, Path()))


def _refuse_bare_lists(changes: Mapping[str, Any]) -> None:
    """Refuse lists without brackets; the names of readings have commas too."""
    hints = get_type_hints(SuiteFile, include_extras=True)
    for key, value in changes.items():
        bare = isinstance(value, str) and "," in value and value[:1] != "["
        if bare and wanted(hints.get(key)).startswith("a list"):
            try:
                find_method(value)
            except UserError:
                told = f"--config {key}={value}: a list is written in brackets: {key}='[{value}]'"
                raise UserError(told) from None


def _with_plan(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the values, with the analysis plan read from its file where they name one, from `folder`."""
    if not isinstance(plan := values.get("analysis"), str):
        return dict(values)
    return {**values, "analysis": _read_mapping(folder / plan, "name an analysis plan")}


def _read_mapping(file: Path, remedy: str) -> dict[str, Any]:
    value = read_yaml(file, remedy)
    if not isinstance(value, dict):
        raise UserError(f"{file}: must hold keys and values; see config/README.md")
    return value


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key; a list is replaced."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _complete(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with defaults filled in."""
    complete = _merged({**DEFAULTS, "readings_datasets": values.get("datasets")}, values)
    if isinstance(complete.get("split"), Mapping):  # the chain is as long as there are subsets, unless told
        complete.setdefault("chain_length", complete["split"].get("stages", SplitSettings.stages))
    return complete


def _checked(values: Mapping[str, Any], what: str) -> SuiteFile:
    return checked(SuiteFile, _complete(values), what, {"chain_length", "readings_datasets"} - set(values))


def _identity(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides a run's results, the user's own entries of the catalogue among it."""
    neutral = neutral_keys(values["tuned"])
    identity = without_later_keys({key: value for key, value in values.items() if key not in neutral})
    identity["exclude_classes"] = {key: names for key, names in values["exclude_classes"].items() if names}
    own = values["catalogue"]
    if own and os.access(own, os.F_OK):  # else, and where its name is too long, it is told later
        entries = {key: entry for key, entry in own_entries(Path(own)).items() if key in values["datasets"]}
        identity |= {"catalogue": entries} if entries else {}
    return identity


def _suite(file: SuiteFile, values: Mapping[str, Any], run: str) -> Suite:
    """Return the suite without its methods' roles; its plan is hashed as it was written."""
    own = Path(file.catalogue) if file.catalogue else None
    with _told_of("catalogue"):
        load_catalogue(own)
    with _told_of("datasets"):
        found = suite_datasets(file)
    excluded = {key: names for key, names in file.exclude_classes.items() if names}
    with _told_of("exclude_classes"):
        kept = {
            key: _kept_classes(find_dataset(key, own), names) for key, names in file.exclude_classes.items()
        }
    methods = _methods(file)
    plan = {**{key: values[key] for key in ("datasets", "seeds", "analysis")}, "methods": methods}
    plan |= {"quick_look": True} if file.quick_look else {}
    own_keys = {field.name: getattr(file, field.name) for field in fields(SuiteKeys)}
    return Suite(
        **own_keys | {"methods": tuple(methods), "exclude_classes": excluded},
        name=file.suite,
        run=run,
        groups_threshold=file.groups.threshold,
        facts={key: _facts(dataset, kept.get(key, ()), found, own) for key, dataset in found.items()},
        roles={},
        plan_hash=digest(plan)[:12],
    )


def _facts(
    dataset: Dataset, kept: tuple[str, ...], others: Mapping[str, Dataset], own: Path | None
) -> DatasetFacts:
    classes = kept or tuple(entry.key for entry in dataset.classes)
    phantom = dataset.phantom
    # Of what is not in the suite, no image counts twice.
    derived_from = dataset.derived_from if made_from(dataset.key, load_catalogue(own)) & set(others) else ()
    return DatasetFacts(dataset.key, dataset.title, dataset.modality, phantom, derived_from, classes)


def _kept_classes(dataset: Dataset, excluded: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that are not left out; refuse to leave out those that are not there, or all but one."""
    classes = [entry.key for entry in dataset.classes]
    for name in excluded:
        if name not in classes:
            raise UserError(
                f"{dataset.key} has no class {name!r}{near(name, classes)} Known: {', '.join(classes)}"
            )
    left = tuple(name for name in classes if name not in excluded)
    if len(left) < 2:
        raise UserError(
            f"of {dataset.key} there is left {left[0] if left else 'no class'}; keep two classes or more, or leave out "
            "the data set"
        )
    return left


@contextmanager
def _told_of(key: str) -> Iterator[None]:
    """Put the key before what is wrong with it."""
    try:
        yield
    except UserError as problem:
        raise UserError(f"{key}: {problem}") from None


def _methods(file: SuiteFile) -> list[str]:
    """Return the suite's methods, where `panel` means all methods of the panel."""
    if PANEL in file.methods and not file.panel.backbones:
        raise UserError("methods: panel means the backbones that panel.backbones lists; list one or more")
    named = [name for one in file.methods for name in (panel_names(file.panel) if one == PANEL else (one,))]
    for key, names in (("methods", named), ("keep_weights", file.keep_weights)):
        with _told_of(key):
            for name in names:
                find_method(name)
    return list(dict.fromkeys(named))


def _contradictions(suite: Suite) -> Iterator[str]:
    """Yield which keys contradict one another."""
    if suite.chain_length > suite.split.stages:
        yield f"chain_length: {suite.chain_length} models need as many subsets; split.stages is {suite.split.stages}"
    for key in suite.readings_datasets:
        if key not in suite.datasets:
            yield f"readings_datasets: {key} is not one of the suite's datasets; name it there too"
    refuse_more_than_all(suite.split)
    losses = suite.distillation
    if losses.temperature_min > losses.temperature_max:
        yield (
            f"distillation.temperature_min: {losses.temperature_min:g} is above temperature_max, "
            f"{losses.temperature_max:g}; exchange them"
        )
    for seed in sorted(set(suite.seeds) & set(suite.tuning.seeds)):
        yield (
            f"tuning.seeds: {seed} is one of the suite's seeds; choose others, so that no table is made with seeds "
            "that settings were chosen on"
        )
    for name in twice([backbone.name for backbone in suite.panel.backbones]):
        yield f"panel.backbones: {name} is given twice; a backbone can be there with one init"
    if suite.backbone_sizes and suite.backbone not in suite.backbone_sizes:
        own = suite.backbone
        yield f"backbone_sizes: must hold the suite's backbone, name: {own.name}, init: {own.init}"
    yield from _contradictions_of_plan(suite.analysis)


def _contradictions_of_plan(plan: AnalysisPlan) -> Iterator[str]:
    """Yield which families are of methods that nobody knows, which claims of families that are not there, and so on."""
    if (primary := plan.metrics[0]) not in MARGIN_METRICS and (plan.claims or plan.families):
        yield (
            f"analysis.metrics: claims and families are of {' or '.join(MARGIN_METRICS)}, for which margins are "
            f"stated, not of {primary}; name one of them first"
        )
    families = [family.name for family in plan.families]
    for key, names in (("families", families), ("claims", [claim.name for claim in plan.claims])):
        for name in twice(names):
            yield f"analysis.{key}: {name!r} is given twice; give each a name of its own"
    for family in plan.families:
        told = f"analysis.families: {family.name!r}"
        if family.method in family.references:
            yield f"{told} compares {family.method} with itself; leave it out of references"
        for method in (family.method, *family.references):
            if "*" not in method:
                with _told_of("analysis.families"):
                    find_method(method)
        if bool(family.references) == (family.kind in ("trend", "links")):
            yield f"{told} is of kind {family.kind} and must have {'no ' * bool(family.references)}references"
    for claim in plan.claims:
        for evidence in (*claim.as_worded, *claim.for_the_chain):
            if evidence.family not in families:
                yield (
                    f"analysis.claims: {claim.name!r} names the family {evidence.family!r}, which is not in "
                    f"analysis.families; there: {', '.join(families)}"
                )


def _refuse_impossible_methods(suite: Suite, methods: Sequence[Method]) -> None:
    """Refuse losses, such as DKD, on two classes."""
    two = [key for key in suite.datasets if len(suite.facts[key].classes) == 2]
    for method in methods:
        for fit in method.fits():
            if two and fit.loss.not_for_two_classes:
                raise UserError(
                    f"methods: {method.name} cannot be run on {two[0]}: {fit.loss.not_for_two_classes}; leave out the "
                    "method or the data set"
                )
