"""Copied errors at a glance: how often the next model repeats an error, of the chain and of methods beside it."""

from matplotlib.figure import Figure

from weckd.analysis.copied import REFERENCES, evaluate_links
from weckd.analysis.figures import style
from weckd.analysis.figures.style import ACCENT, INK
from weckd.analysis.results import Results
from weckd.places import few_seeds, overall
from weckd.tables.captions import NO_STAGES, confidence, has_phantom, mean_or_dataset, missing_sentence
from weckd.tables.cells import Level, Wording

WHAT = "Errors that the next model repeats"


def copied_figure(run: Results) -> Figure:
    """Return a row a method, the most copied errors first: mean over data sets with its interval, a dot a data set."""
    suite, found, at = run.suite, evaluate_links(run), overall(run.suite)
    if not found:
        return style.nothing(suite, WHAT, NO_STAGES)
    last = {link.method: link for link in found}.values()  # of each method the mean of links, or its only one
    if not any(link.shares[at].study for link in last):
        missing = (name for link in last for name in link.shares[at].missing)
        return style.nothing(suite, WHAT, missing_sentence(missing))
    # Narrow, so that its words are legible on a phone, but for the sentence of phantoms.
    figure = style.figure(6.5 if has_phantom(suite) else 5.2, 0.3 * len(last) + 1.8)
    axis = figure.subplots()
    shown = sorted(last, key=lambda link: (link.shares[at].study is None, -link.shares[at].value))
    for y, link in enumerate(shown):
        whole, colour = link.shares[at], INK if link.beside else ACCENT
        each = [link.shares[key] for key in suite.datasets if key != at]
        text = Level(whole.value, whole.half_width).text(Wording())
        style.draw_row(axis, y, each, whole, text, colour, "white" if link.method in REFERENCES else colour)
    style.name_rows(axis, [style.wrapped(link.method, 24) for link in shown])
    axis.set_xlabel("percent of the errors")
    axis.set_xlim(0, 100)
    bar = "" if few_seeds(suite) else f" and its {confidence(suite)} interval"
    each_set = "; dots: data sets" if len(suite.datasets) > 1 else ""
    links = f", {shown[0].name}" if not shown[0].stage else ""
    without = " and ".join(name for name in REFERENCES if name in {link.method for link in shown})
    gone = [name for link in shown for x in link.shares.values() for name in x.missing]
    return style.captioned(
        figure,
        suite,
        WHAT,
        f"diamond: {mean_or_dataset(suite, at)}{links}{bar}{each_set}",
        "blue: the chain" + (f"; open: without a teacher ({without})" if without else ""),
        *([missing_sentence(gone)] if gone else []),
    )
