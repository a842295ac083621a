"""What the chain's attention maps say: do they sharpen, and does a model look where its predecessor's did?"""

from collections.abc import Mapping

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.attention import (
    AttentionMaps,
    attention_frame,
    evaluate_attention,
    has_chain,
    load_attention,
)
from weckd.analysis.contrasts import Contrast, own
from weckd.analysis.contrasts import gain as gain_of
from weckd.analysis.estimates import NOT_KNOWN, Estimate, estimate, why_untested
from weckd.analysis.inference.reader_study import p_value
from weckd.analysis.results import Results
from weckd.config import Suite
from weckd.places import independent
from weckd.tables.captions import NO_CHAIN, confidence, overall_n
from weckd.tables.cells import MISSING, NOTHING, Cell, P
from weckd.tables.render import Table, TableFile

TITLE = "Do the attention maps sharpen along the chain"


def attention_table(run: Results) -> TableFile:
    """Return the table of what the maps say, see `weckd.analysis.attention`."""
    maps = load_attention(run.suite, run.files)
    frame = attention_frame(run.suite, maps)
    if not has_chain(run.suite):
        nothing = sheet.nothing(run.suite, "attention", TITLE, "data set", NO_CHAIN)
        return TableFile("attention", frame, nothing.tables)
    return TableFile("attention", frame, [_attention(run, maps)])


def _attention(run: Results, maps: Mapping[str, AttentionMaps]) -> Table:
    suite, last = run.suite, run.suite.chain_length

    def estimates(contrast: Contrast) -> dict[str, Estimate]:
        found = evaluate_attention(suite, maps, contrast)
        return {name: estimate(suite, result, 1.0) for name, result in found.items()}

    sharp = {f"sharpness M{model}": estimates(own("sharpness", model)) for model in range(1, last + 1)}
    kept = {
        f"agreement M{model} with M{model - 1}": estimates(own("agreement", model))
        for model in range(2, last + 1)
    }
    change = estimates(gain_of("sharpness", last, "sharpness", 1))
    names = list(change)
    columns: dict[str, list[Cell]] = {
        "data set": [sheet.place(suite, name) for name in names],
        "map": [_size_cell(suite, maps, name) for name in names],
    }
    columns |= {header: [*map(sheet.level, found.values())] for header, found in sharp.items()}
    if last > 1:
        columns[f"M{last} - M1 [{confidence(suite)} CI]"] = [*map(sheet.gain, change.values())]
        columns["p"] = [_p(suite, shown) for shown in change.values()]
    columns |= {header: [*map(sheet.level, found.values())] for header, found in kept.items()}
    of_place = pd.DataFrame([*sharp.values(), *kept.values()])
    says = sheet.caption(
        run,
        "Attention maps of the chain's models on the same test images, ± half-width of the interval; no claim rests on "
        "them.",
        n=overall_n(suite, _images(suite, maps)),
        test="p not adjusted",
        notes=(
            "In no family of the plan. Two maps that are nearly flat agree, whatever the models have learnt.",
        ),
        missing=[cause for name in names for found in of_place[name] for cause in found.missing],
    )
    narrow = ("data set", "sharpness *", f"M{last} - *", "p")
    return sheet.table(suite, "attention", TITLE, columns, says, narrow=narrow)


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


def _p(suite: Suite, shown: Estimate) -> Cell:
    return P(NOT_KNOWN if shown.study is None or why_untested(suite) else p_value(shown.study))
