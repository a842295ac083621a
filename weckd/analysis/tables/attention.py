"""The table of attention: do the maps sharpen along the chain, and does each model keep to its predecessor's?"""

from collections.abc import Mapping

import pandas as pd

from weckd.analysis.attention import AttentionMaps, Term, attention_frame, evaluate_attention, has_chain
from weckd.analysis.contrasts import Result
from weckd.analysis.inference.reader_study import half_width, p_value
from weckd.config import Suite
from weckd.places import MACRO, few_seeds, independent
from weckd.tables.captions import (
    NO_CHAIN,
    closing,
    derived_sentence,
    design_sentence,
    joined,
    mean_or_dataset,
    phantom_sentence,
    size_sentence,
)
from weckd.tables.cells import MISSING, NOTHING, Cell, Gain, Level, Name, P
from weckd.tables.files import Table, TableFile


def attention_table(suite: Suite, maps: Mapping[str, AttentionMaps]) -> TableFile:
    """Return the table of what the maps say, see `weckd.analysis.attention`."""
    return TableFile("attention", attention_frame(suite, maps), [_attention(suite, maps)])


def _attention(suite: Suite, maps: Mapping[str, AttentionMaps]) -> Table:
    title = f"Do the attention maps sharpen along the chain, suite {suite.run}"
    if not has_chain(suite):
        cells = pd.DataFrame({"data set": [NO_CHAIN]})
        return Table(title, joined(phantom_sentence(suite), closing(suite)), "attention", cells)
    last = suite.chain_length
    level = f"{100 * (1 - suite.analysis.alpha):g} %"
    sharp = [evaluate_attention(suite, maps, [Term(1.0, "sharpness", model)]) for model in range(1, last + 1)]
    kept = [evaluate_attention(suite, maps, [Term(1.0, "agreement", model)]) for model in range(2, last + 1)]
    ends = [Term(1.0, "sharpness", last), Term(-1.0, "sharpness", 1)]
    change = evaluate_attention(suite, maps, ends)
    names = (*suite.datasets, MACRO)
    columns: dict[str, list[Cell]] = {"data set": [Name(name, _suffix(suite, name)) for name in names]}
    columns["map"] = [_size_cell(suite, maps, name) for name in names]
    for model, results in enumerate(sharp, start=1):
        columns[f"sharpness M{model}"] = [_level(suite, results[name]) for name in names]
    if last > 1:
        columns[f"M{last} - M1 [{level} CI]"] = [_change(suite, change[name]) for name in names]
        columns["p"] = [_p(suite, change[name]) for name in names]
    for model, results in enumerate(kept, start=2):
        columns[f"agreement M{model} with M{model - 1}"] = [_level(suite, results[name]) for name in names]
    missing = [cause for name in names for results in (*sharp, *kept) for cause in results[name].missing]
    caption = joined(
        phantom_sentence(suite),
        "Attention maps of the chain's models on the same test images: mean over channels of the squared activation,",
        "deepest feature stage that attention transfer compares (Zagoruyko and Komodakis 2017).",
        "sharpness: one minus the normalised entropy of a map, from 0 (flat) to 1 (one point).",
        "agreement: cosine of a model's map with that of the model before, from 0 to 1;",
        "two maps that are nearly flat agree, whatever the models have learnt.",
        f"±: half-width of the {level} interval; p: of no change from M1 to M{last}.",
        "In no family of the plan: a description; p is not adjusted, and no claim rests on it.",
        design_sentence(suite),
        "Means over all test images;",
        size_sentence(suite, _images(suite, maps)),
        derived_sentence(suite),
        closing(suite, missing),
    )
    return Table(title, caption, "attention", pd.DataFrame(columns))


def _suffix(suite: Suite, name: str) -> str:
    return mean_or_dataset(suite, name).removeprefix(name)


def _size_cell(suite: Suite, maps: Mapping[str, AttentionMaps], name: str) -> Cell:
    if name not in suite.datasets:
        return NOTHING
    return "x".join(map(str, maps[name].map_size)) if name in maps else MISSING


def _images(suite: Suite, maps: Mapping[str, AttentionMaps]) -> tuple[int, int] | None:
    """Return the test images and groups of the independent data sets; None where one is not known."""
    known = [maps[key].groups for key in independent(suite) if key in maps]
    if not known or len(known) < len(independent(suite)):
        return None
    return sum(len(groups) for groups in known), sum(int(groups.max()) + 1 for groups in known)


def _half_width(suite: Suite, result: Result) -> float:
    if result.study is None or few_seeds(suite):
        return float("nan")
    return half_width(result.study, 1 - suite.analysis.alpha)


def _level(suite: Suite, result: Result) -> Cell:
    mean = result.study.estimate if result.study else float("nan")
    return Level(mean, _half_width(suite, result), in_percent=False)


def _change(suite: Suite, result: Result) -> Cell:
    estimate, half = result.study.estimate if result.study else float("nan"), _half_width(suite, result)
    return Gain(estimate, estimate - half, estimate + half, in_percent=False)


def _p(suite: Suite, result: Result) -> Cell:
    return P(float("nan") if result.study is None or few_seeds(suite) else p_value(result.study))
