"""From suite files and command-line values to one checked `Suite`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from weckd.config import AnalysisPlan, PanelSettings, Suite, build
from weckd.data.catalogue import find_dataset
from weckd.errors import UserError
from weckd.files import digest
from weckd.methods.catalogue import find_method, suite_methods
from weckd.methods.losses import Decoupled
from weckd.methods.panel import PANEL, panel_names
from weckd.methods.recipe import Method

SCHEMA_FILE = Path(__file__).with_name("suite_schema.yaml")
# Keys that say how and from where a run is made, not what it computes: they never make it a narrowed one.
NEUTRAL_KEYS = ("seeds_per_job", "data_root", "catalogue", "readings", "readings_datasets")

DEFAULTS: Mapping[str, Any] = {
    "data_root": None,
    "catalogue": None,
    "skip_bad": False,
    "exclude_classes": {},
    "readings": "changes",
    "backbone_sizes": [],
    "panel": {"backbones": [], "labels": [10, 30, 100]},
    "tuning": {"trials": 16, "seeds": [1001, 1002]},
    "tuned": False,
}


def resolve_suite(files: Sequence[Path], changes: Mapping[str, Any]) -> Suite:
    """Return the suite that `files` (later ones win, key by key) and command-line `changes` describe.

    Values in `changes` may be strings, as a shell passes them. A run whose results could differ from the
    files' own gets a folder of its own, `<suite>+<hash>`.

    Raises:
        UserError: a file cannot be read, a key is unknown or has a wrong value, or a data set, class or
            method is not known.
    """
    base: dict[str, Any] = {}
    for file in files:
        base = _merged(base, _with_plan(_read_mapping(file), file.parent))
    source = ", ".join(str(file) for file in files)
    schema = yaml.safe_load(SCHEMA_FILE.read_text(encoding="utf-8"))
    plain = _checked(base, schema, source)
    values = _checked(
        _merged(base, _with_plan(_normalised(changes, schema, schema["$defs"]), Path())),
        schema,
        f"{source} with command-line values",
    )
    narrowed = _identity(values) != _identity(plain)
    run = f"{values['suite']}+{digest(_identity(values))[:8]}" if narrowed else str(values["suite"])
    return _suite(values, run)


def parse_changes(changes: Sequence[str]) -> dict[str, Any]:
    """Return command-line changes KEY=VALUE as a mapping; values are YAML, of which JSON is a part.

    Raises:
        UserError: a change is not of that form.
    """
    parsed: dict[str, Any] = {}
    for change in changes:
        key, separator, text = change.partition("=")
        if not separator:
            raise UserError(f"--config {change}: must be KEY=VALUE")
        parsed[key] = _parsed(text)
    return parsed


def read_suite_files(files: Sequence[Path]) -> dict[str, Any]:
    """Return the files' values, unchecked; later files win, key by key.

    Raises:
        UserError: a file cannot be read or holds no keys and values.
    """
    base: dict[str, Any] = {}
    for file in files:
        base = _merged(base, _read_mapping(file))
    return base


def _with_plan(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the values, with the analysis plan read from its file where they name one, from `folder`."""
    plan = values.get("analysis")
    return {**values, "analysis": _read_mapping(folder / plan)} if isinstance(plan, str) else dict(values)


def _identity(values: Mapping[str, Any]) -> dict[str, Any]:
    neutral = NEUTRAL_KEYS if values["tuned"] else (*NEUTRAL_KEYS, "tuning")
    return {key: value for key, value in values.items() if key not in neutral}


def _read_mapping(file: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as problem:
        raise UserError(
            f"{file}: cannot be read ({problem.strerror}); name a suite file from config/"
        ) from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise UserError(f"{file}: not valid YAML: {problem}") from problem
    if not isinstance(value, dict):
        raise UserError(f"{file}: must hold keys and values; see config/README.md")
    return value


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge mappings key by key, except class lists, which a change replaces."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return merged


def _normalised(value: Any, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """Turn a shell's strings into what the schema asks for: '[1,2]' and '1' become lists, '3' a number."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    kind = schema.get("type")
    if isinstance(value, str) and kind in ("array", "object", "integer", "number", "boolean"):
        value = _parsed(value)
    if kind == "array":
        items = value if isinstance(value, list | tuple) else [value]
        return [_normalised(item, schema.get("items", {}), definitions) for item in items]
    if isinstance(value, Mapping):
        properties = schema.get("properties", {})
        other = schema.get("additionalProperties") or {}
        return {
            key: _normalised(item, properties.get(key, other), definitions) for key, item in value.items()
        }
    return value


def _parsed(text: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise UserError(f"command-line value {text!r}: not valid YAML: {problem}") from problem
    return text if value is None else value


def _checked(values: Mapping[str, Any], schema: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the values with defaults filled in, or raise a UserError that names every wrong key."""
    complete = {**DEFAULTS, "readings_datasets": values.get("datasets"), **values}
    if isinstance(complete.get("split"), Mapping):  # the chain is as long as there are subsets, unless told
        complete.setdefault("chain_length", complete["split"].get("stages"))
    problems = sorted(
        jsonschema.Draft202012Validator(schema).iter_errors(complete), key=lambda e: [str(p) for p in e.path]
    )
    if problems:
        known = ", ".join(sorted(schema["properties"]))
        lines = [
            f"  {'.'.join(str(part) for part in problem.path) or 'top level'}: {problem.message}{_why(problem)}"
            for problem in problems
        ]
        raise UserError(f"{source}: not a valid suite\n" + "\n".join(lines) + f"\nKnown keys: {known}")
    return complete


def _why(problem: jsonschema.ValidationError) -> str:
    """Return what the schema says of the value that it refuses."""
    schema = problem.schema
    return f" ({schema['description']})" if isinstance(schema, Mapping) and "description" in schema else ""


def _suite(values: Mapping[str, Any], run: str) -> Suite:
    own = Path(values["catalogue"]) if values["catalogue"] else None
    facts = {key: _facts(key, own, values["exclude_classes"].get(key, ())) for key in values["datasets"]}
    methods = _methods(values)
    plan = {**{key: values[key] for key in ("datasets", "seeds", "analysis")}, "methods": methods}
    suite = build(
        Suite,
        {
            **{key: value for key, value in values.items() if key not in ("suite", "groups")},
            "name": values["suite"],
            "run": run,
            "methods": methods,
            "groups_threshold": values["groups"]["threshold"],
            "facts": facts,
            "roles": {},
            "plan_hash": digest(plan)[:12],
        },
    )
    assert isinstance(suite, Suite)  # noqa: S101 - tells the type checker what _build was asked for
    _refuse_contradictions(suite)
    declared = suite_methods(suite)
    _refuse_impossible_methods(suite, declared)
    return replace(suite, roles={method.name: method.role for method in declared})


def _methods(values: Mapping[str, Any]) -> list[str]:
    """Return the suite's methods, where `panel` stands for all methods of the panel."""
    panel = build(PanelSettings, values["panel"])
    if PANEL in values["methods"] and not panel.backbones:
        raise UserError(
            "methods: panel stands for the backbones that panel.backbones lists; list one or more"
        )
    named = ((name,) if name != PANEL else panel_names(panel) for name in values["methods"])
    return list(dict.fromkeys(name for names in named for name in names))


def _refuse_contradictions(suite: Suite) -> None:
    """Refuse keys that contradict one another."""
    if suite.chain_length > suite.split.stages:
        raise UserError(
            f"chain_length: {suite.chain_length} models need as many subsets; split.stages is {suite.split.stages}"
        )
    strangers = [key for key in suite.readings_datasets if key not in suite.datasets]
    if strangers:
        raise UserError(
            f"readings_datasets: {strangers[0]} is not one of the suite's datasets; name it there too"
        )
    shared = sorted(set(suite.seeds) & set(suite.tuning.seeds))
    if shared:
        raise UserError(
            f"tuning.seeds: {shared[0]} is one of the suite's seeds; choose others, so that no table is made with "
            "seeds that settings were chosen on"
        )
    names = [backbone.name for backbone in suite.panel.backbones]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f"panel.backbones: {twice} stands twice; a backbone can be there with one init")
    if suite.backbone_sizes and suite.backbone not in suite.backbone_sizes:
        raise UserError(
            f"backbone_sizes: must hold the suite's backbone, name: {suite.backbone.name}, init: {suite.backbone.init}"
        )
    _refuse_contradictory_plan(suite.analysis)


def _refuse_contradictory_plan(plan: AnalysisPlan) -> None:
    """Refuse families of methods that nobody knows, and claims decided by families that are not there."""
    names = [family.name for family in plan.families]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise UserError(f"analysis.families: {twice!r} stands twice; give each family a name of its own")
    for family in plan.families:
        for method in (family.method, *family.references):
            if "*" not in method:
                find_method(method)
        if bool(family.references) == (family.kind in ("trend", "links")):
            wanted = "no references" if family.references else "references"
            raise UserError(
                f"analysis.families: {family.name!r} is of kind {family.kind} and must have {wanted}"
            )
    for claim in plan.claims:
        for evidence in (*claim.decided_by, *claim.beside):
            if evidence.family not in names:
                raise UserError(
                    f"analysis.claims: {claim.name!r} names the family {evidence.family!r}, which is not in "
                    f"analysis.families; there: {', '.join(names)}"
                )


def _refuse_impossible_methods(suite: Suite, methods: Sequence[Method]) -> None:
    """Refuse DKD on two classes."""
    two = [key for key in suite.datasets if len(suite.facts[key].classes) == 2]
    for method in methods:
        if two and any(isinstance(fit.loss, Decoupled) for fit in method.fits()):
            raise UserError(
                f"methods: {method.name} cannot be run on {two[0]}: with two classes the second term of decoupled "
                "distillation is always zero; leave out the method or the data set"
            )


def _facts(key: str, own: Path | None, excluded: Sequence[str]) -> dict[str, Any]:
    dataset = find_dataset(key, own)
    classes = [entry.key for entry in dataset.classes]
    for name in excluded:
        if name not in classes:
            raise UserError(f"exclude_classes.{key}: no class {name!r}; known: {', '.join(classes)}")
    return {
        "key": key,
        "title": dataset.title,
        "modality": dataset.modality,
        "phantom": dataset.phantom,
        "derived_from": dataset.derived_from,
        "classes": [name for name in classes if name not in excluded],
    }
