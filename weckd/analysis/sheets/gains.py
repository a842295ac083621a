"""The tables of gains: the plan's families, by data set, by modality, across data sets, and with one left out."""

import math
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

from weckd.analysis import sheet
from weckd.analysis.comparisons import Comparison
from weckd.analysis.contrasts import Result
from weckd.analysis.estimates import IDENTICAL, NOT_KNOWN, Gain, estimate, missing_of, why_untested
from weckd.analysis.inference.data_sets import NewDataSet, leave_one_out, new_data_set
from weckd.analysis.inference.reader_study import Estimate as TEstimate
from weckd.analysis.inference.reader_study import Study, p_value
from weckd.analysis.inference.sensitivity import side
from weckd.analysis.results import Compared, Results
from weckd.config import Suite
from weckd.places import by_modality, independent, means, overall, sets_and_overall, sets_of
from weckd.tables.captions import NO_FAMILY, confidence, mean_or_dataset, place_text
from weckd.tables.cells import NATS_DIGITS, NOTHING, Cell, Joined, Name, Number, P
from weckd.tables.cells import Gain as GainCell
from weckd.tables.render import Table, TableFile

ONE_MODALITY = "all independent data sets are of one modality; the table across has their mean"
SIDES = {1: "above", -1: "below", 0: "undecided", None: "no p"}
"""Where a mean lies in relation to its null, by `side`."""
FEW = 3  # comparisons that a page has room for beside all other columns


def gains_tables(run: Results) -> TableFile:
    """Return every contrast once as a frame; as tables the families of the plan, then each of them by data set."""
    tables = [_families(run, [gain for gain in run.planned if gain.decides])]
    of_family: dict[str, list[Gain]] = {}
    told: dict[tuple[str, int, str], Comparison] = {}
    for gain in run.planned if len(run.suite.datasets) > 1 else ():  # of one, the families have all rows
        # A family that is decided on another mean holds no comparison that these do not.
        of = gain.comparison
        of_set = of.decided_on == (overall(run.suite),) and gain.dataset in run.suite.datasets
        if of_set and told.setdefault(of.pair, of) == of:
            of_family.setdefault(str(of.family), []).append(gain)
    for item in run.made_elsewhere:
        rows = [gain for place, gain in item.gains.items() if place in sets_and_overall(run.suite)]
        of_family.setdefault(f"{item.comparison.method} made elsewhere", []).extend(rows)
    tables += [_by_dataset(run, *family) for family in of_family.items()]
    once: dict[tuple[object, ...], Gain] = {}
    for gain in run.gains:
        once.setdefault((gain.comparison.pair, gain.metric, gain.dataset), gain)
    return TableFile("gains", gains_frame(run, list(once.values())), tables)


def gains_frame(run: Results, gains: Sequence[Gain]) -> pd.DataFrame:
    """Return the long frame of `gains.csv`: numbers in the unit of their row, NaN where not defined."""
    rows = []
    for gain in gains:
        more, of = sheet.tested(run, gain), sheet.compared_of(gain)
        more |= {"min_detectable": gain.estimate.detectable}
        row = sheet.row(run, gain.dataset, of, gain.metric, gain.estimate, more, value="gain")
        del row["missing"]  # the verdict says it
        rows.append(row)
    return pd.DataFrame(rows)


def _families(run: Results, rows: Sequence[Gain]) -> Table:
    suite, alpha, known = run.suite, run.suite.analysis.alpha, means(run.suite)
    shown = sheet.listed(
        rows,
        {
            "family": lambda gain: str(gain.comparison.family),
            "data set": lambda gain: (
                gain.dataset if gain.dataset in known else place_text(suite, gain.dataset)
            ),
            "method": lambda gain: Name(gain.comparison.method),
            "comparison": lambda gain: gain.comparison.text,
            f"gain [{confidence(suite)} CI]": lambda gain: sheet.gain(gain.estimate),
            "p": lambda gain: P(gain.asked.p),
            "p (adjusted)": lambda gain: P(gain.asked.p_adjusted),
            "correction": lambda gain: NOTHING if why_untested(suite) else _correction(gain),
            "detectable": lambda gain: Number(
                NOT_KNOWN
                if gain.asked.p_adjusted < alpha or gain.comparison.kind == "equivalence"
                else gain.estimate.detectable
            ),
            "seed share": lambda gain: (
                "100 %, cases below 0"
                if gain.estimate.cases_below_zero
                else Number(100 * gain.estimate.seed_share, 0, " %")
            ),
            "verdict": lambda gain: gain.short_verdict,
        },
    )
    margins = {gain.comparison.kind for gain in rows} & {"non-inferiority", "equivalence"}
    says = sheet.caption(
        run,
        f"Gains in {run.primary_name}, percentage points, in the families that decide.",
        test="p corrected within each family",
        notes=(
            f"The plan's margin is {suite.analysis.margin_pp:g} points." if margins else "",
            sheet.near_ceiling(rows),
        ),
        missing=missing_of(rows),
    )
    narrow = ("family", "data set", "comparison", "gain *", "p (adjusted)", "verdict")
    return sheet.table(suite, "families", "Families of the plan", shown, says, ("family", NO_FAMILY), narrow)


def _correction(gain: Gain) -> str:
    of = gain.asked
    return of.correction if of.family == gain.comparison.family else f"in {of.family}: {of.correction}"


def _by_dataset(run: Results, family: str, rows: Sequence[Gain]) -> Table:
    """Return a family's gains, or those of a method made elsewhere: data sets down, comparisons across."""
    suite, found = run.suite, {(gain.dataset, gain.comparison): gain for gain in rows}
    compared = tuple(dict.fromkeys(gain.comparison for gain in rows))
    shown = sheet.pivoted(
        dict.fromkeys(gain.dataset for gain in rows),
        {
            "data set": lambda place: sheet.place(suite, place),
            "images (groups)": lambda place: sheet.size(run.sizes[place]),
        },
        {item.text: item for item in compared},
        {"{}": lambda place, item: sheet.untested(found[place, item].estimate)},
    )
    says = sheet.caption(
        run,
        f"Gains of {compared[0].method} in {run.primary_name}, percentage points, without p and verdicts.",
        n="n beside each data set",
        notes=(
            "Exploratory, in no family of the plan." if rows[0].comparison.family is None else "",
            sheet.near_ceiling(rows),
        ),
        missing=missing_of(rows),
    )
    label = "gains-" + family.replace(" ", "-")
    narrow = ("data set", *(item.text for item in compared)) if len(compared) > FEW else ()
    return sheet.table(suite, label, f"{family.capitalize()}, by data set", shown, says, narrow=narrow)


def _families_of(gains: Sequence[Gain]) -> str:
    """Return the families that some gains are corrected in, with the correction, each once."""
    told = dict.fromkeys(f"{x.asked.family} ({x.asked.correction})" for x in gains if x.asked.correction)
    return "; ".join(told) or "none, nothing is tested"


def modality_table(run: Results) -> TableFile:
    """Return each comparison of the plan on the mean over each modality's independent data sets."""
    suite, compared = run.suite, run.compared("superiority", "non-inferiority")
    if not compared:
        return sheet.nothing(suite, "modality", "By modality", "comparison", NO_FAMILY)
    places = {modality: place for modality, place in by_modality(suite).items() if place != overall(suite)}
    if not places:
        return sheet.nothing(suite, "modality", "By modality", "comparison", ONE_MODALITY)
    headers = [place_text(suite, place) for place in places.values()]
    gains = [item.gains[place] for item in compared for place in places.values()]
    rows = [sheet.gain_row(run, gain, {"n_datasets": len(sets_of(suite, gain.dataset))}) for gain in gains]
    shown = sheet.pivoted(
        compared,
        {"comparison": sheet.comparison},
        dict(zip(headers, places.values(), strict=True)),
        sheet.with_p(
            suite,
            lambda item, place: sheet.gain(item.gains[place].estimate),
            lambda item, place: sheet.decision(item.gains[place]),
        ),
    )
    held = "; ".join(f"{modality}: {', '.join(sets_of(suite, place))}" for modality, place in places.items())
    says = sheet.gains_caption(
        run,
        compared,
        f"Data sets: {held}.",
        f"p by family, each modality in families of its own or secondary ones: {_families_of(gains)}.",
        sheet.margin_sentence(suite, (item.comparison for item in compared)),
        test="p adjusted in its family",
        missing=missing_of(gains),
    )
    narrow = ("comparison", *headers) if len(headers) > 1 else ()
    return sheet.file(suite, "modality", "By modality", rows, shown, says, narrow=narrow)


def across_table(run: Results) -> TableFile:
    """Return for each comparison of the plan what these data sets say, and what they say about a new one."""
    suite, compared = run.suite, run.compared("superiority", "non-inferiority")
    if not compared:
        return sheet.nothing(suite, "across", "Across data sets", "comparison", NO_FAMILY)
    level, futures = confidence(suite), [_future(suite, item) for item in compared]
    on_whole = [item.gains[overall(suite)] for item in compared]
    shown: sheet.Columns = {
        "comparison": [sheet.comparison(item) for item in compared],
        f"these: {mean_or_dataset(suite, overall(suite))} [{level} CI]": [
            sheet.gain(gain.estimate) for gain in on_whole
        ],
        "p (adjusted)": [sheet.decision(gain) for gain in on_whole],
        **_new_cells(run, level, futures),
        sheet.COUNT: [sheet.count_cell(suite, item.gains) for item in compared],
    }
    says = sheet.gains_caption(
        run,
        compared,
        f"p (adjusted) by family: {_families_of(on_whole)}.",
        sheet.margin_sentence(suite, (item.comparison for item in compared)),
        test="p of these data sets adjusted in its family, of a new one not",
    )
    rows = [_across_row(run, *pair) for pair in zip(compared, futures, strict=True)]
    narrow = ("comparison", "these: *", "p (adjusted)", "*prediction, measured gain")
    return sheet.file(suite, "across", "Across data sets", rows, shown, says, narrow=narrow)


def _future(suite: Suite, item: Compared) -> NewDataSet | str:
    """Return what a comparison says about a new data set, or why nothing."""
    studies = list(sheet.independent_studies(suite, item.gains).values())
    level, null = 1 - suite.analysis.alpha, item.comparison.null
    return sheet.why_not_together(suite, item.gains) or new_data_set(studies, level, null)


def _new_cells(run: Results, level: str, futures: Sequence[NewDataSet | str]) -> sheet.Columns:
    """Return the columns of what a new data set would show; the first says why there is nothing."""
    scale = run.scale
    digits = None if scale == 100 else NATS_DIGITS

    def estimated(item: TEstimate) -> Cell:
        # A data set on which nothing varies forbids an estimate.
        if math.isnan(item.value):
            return NOTHING
        return GainCell(scale * item.value, scale * item.low, scale * item.high, scale == 100)

    def ranged(low: float, high: float) -> Cell:
        ends = (Number(scale * low, digits), "to", Number(scale * high, digits))
        return NOTHING if math.isnan(low) else Joined(ends)

    columns: dict[str, Callable[[NewDataSet], Cell]] = {
        f"new: t over means [{level} CI]": lambda new: estimated(new.over_means),
        "p, t over means": lambda new: P(NOT_KNOWN if why_untested(run.suite) else new.over_means.p),
        f"new: random effects [{level} CI]": lambda new: estimated(new.random_effects),
        "p, random effects": lambda new: P(NOT_KNOWN if why_untested(run.suite) else new.random_effects.p),
        "tau": lambda new: Number(scale * math.sqrt(new.tau2), digits),
        f"{level} prediction, true gain": lambda new: ranged(new.prediction_low, new.prediction_high),
        f"{level} prediction, measured gain": lambda new: ranged(new.measured_low, new.measured_high),
    }
    why = next(iter(columns))
    return {
        header: [cell(x) if not isinstance(x, str) else x if header == why else NOTHING for x in futures]
        for header, cell in columns.items()
    }


def _across_row(run: Results, item: Compared, future: NewDataSet | str) -> dict[str, object]:
    """Return the row of the mean over these data sets, with what they say about a new one behind it."""
    found = None if isinstance(future, str) else future
    row = sheet.gain_row(run, item.gains[overall(run.suite)], {"n_datasets": len(independent(run.suite))})
    plan_hash = row.pop("plan_hash")
    for key, new in (
        ("t_over_means", found and found.over_means),
        ("random_effects", found and found.random_effects),
    ):
        for header, name in ((key, "value"), (f"{key}_ci_low", "low"), (f"{key}_ci_high", "high")):
            row[header] = run.scale * getattr(new, name, NOT_KNOWN)
        row[f"{key}_p"] = new.p if new and not why_untested(run.suite) else NOT_KNOWN
    row["tau"] = run.scale * math.sqrt(found.tau2) if found else NOT_KNOWN
    for name in ("prediction_low", "prediction_high", "measured_low", "measured_high"):
        row[name] = run.scale * getattr(found, name, NOT_KNOWN)
    return row | {"wins_ties_losses": sheet.count_cell(run.suite, item.gains), "plan_hash": plan_hash}


def leave_one_out_table(run: Results) -> TableFile:
    """Return each comparison's smallest and largest mean with one data set left out, and what becomes of it."""
    suite, compared = run.suite, run.compared("superiority", "non-inferiority")
    name, title = "leave-one-out", "One data set left out"
    if not compared:
        return sheet.nothing(suite, name, title, "comparison", NO_FAMILY)
    studies = [sheet.independent_studies(suite, item.gains) for item in compared]
    left_out = [leave_one_out(of_item) if of_item else {} for of_item in studies]
    macro = f"{mean_or_dataset(suite, overall(suite))} [{confidence(suite)} CI]"
    lines = [_left_out_cells(run, *pair) for pair in zip(compared, left_out, strict=True)]
    shown = pd.DataFrame(lines, columns=["comparison", macro, "smallest", "largest", "side"])
    says = sheet.gains_caption(
        run,
        compared,
        sheet.margin_sentence(suite, (item.comparison for item in compared)),
        "Sensitivity, in no family.",
        missing=missing_of(item.gains[overall(suite)] for item in compared),
    )
    rows = [row for pair in zip(compared, left_out, strict=True) for row in _left_out_rows(run, *pair)]
    narrow = ("comparison", "smallest", "largest")
    return sheet.file(suite, name, title, rows, shown, says, narrow=narrow)


def _left_out_cells(run: Results, item: Compared, left_out: Mapping[str, Study]) -> list[Cell]:
    start = [sheet.comparison(item), sheet.gain(item.gains[overall(run.suite)].estimate)]
    why_not = sheet.why_not_together(run.suite, item.gains)
    if not left_out or why_not in ("missing", IDENTICAL):
        return [*start, NOTHING, NOTHING, why_not]
    ordered = sorted(left_out, key=lambda key: left_out[key].estimate)
    shown = {key: estimate(run.suite, Result(left_out[key]), run.scale) for key in (ordered[0], ordered[-1])}
    ends = [Joined((sheet.gain(shown[key]), "without", Name(key))) for key in (ordered[0], ordered[-1])]
    return [*start, *ends, why_not or why_untested(run.suite) or _stays(run.suite, item, left_out)]


def _stays(suite: Suite, item: Compared, left_out: Mapping[str, Study]) -> str:
    study = item.gains[overall(suite)].estimate.study
    whole = "" if study is None else _side(suite, item, study)
    changed = {key: its for key, x in left_out.items() if (its := _side(suite, item, x)) != whole}
    then = "; ".join(f"{its} without {key}" for key, its in changed.items())
    return f"{whole}; {then}" if changed else f"{whole}, stays"


def _side(suite: Suite, item: Compared, study: Study) -> str:
    """Return on which side of the null a mean lies, by its own p."""
    null = item.comparison.null
    return SIDES[side(study.estimate, p_value(study, null), suite.analysis.alpha, null)]


def _left_out_rows(run: Results, item: Compared, left_out: Mapping[str, Study]) -> list[dict[str, object]]:
    """Return a row for the mean over all independent data sets and one for each that is left out."""
    suite, shown, null = run.suite, item.gains[overall(run.suite)].estimate, item.comparison.null
    whole = Result(shown.study, shown.missing)
    lines = []
    for key, result in {"": whole, **{key: Result(x) for key, x in left_out.items()}}.items():
        study = result.study
        of = {"left_out": key, "n_datasets": len(independent(suite)) - bool(key), **sheet.compared_of(item)}
        tests = study is not None and not why_untested(suite)
        more = {
            "alpha": suite.analysis.alpha,
            "null": run.scale * null,
            "p": p_value(study, null) if study and tests else NOT_KNOWN,
            "side": _side(suite, item, study) if study and tests else "",
        }
        line = sheet.row(run, overall(suite), of, run.primary, estimate(suite, result, run.scale), more)
        lines.append(line | ({"n_images": study.n_images, "n_groups": study.n_groups} if study else {}))
    return lines
