"""LaTeX tables: what is escaped, which columns and which font are chosen, and what goes into comment and notes."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from weckd.tables.cells import Bold, Gain, Level, Name
from weckd.tables.latex import escaped, latex
from weckd.tables.layout import Layout, Selection
from weckd.tables.render import Table

TABLE = Table(
    "Gains of a_b, suite demo",
    "Accuracy in percent, k = 5. Plan 0123456789ab.",
    "gains",
    pd.DataFrame(
        {
            "data set": [Name("ear_chile", " †"), Name("wbc_zheng")],
            "accuracy": [Bold(Level(88.1, 2.06)), Level(54.2)],
            "gain over single": [Gain(-4.24, -9.5, 1.04), "-"],
        }
    ),
    "Phantoms.",
    notes=("Missing: wbc_zheng.", "† derived."),
    terms={"accuracy": "mean ± h.", "p": "of no column here", "gain over single": "points, 95 % interval"},
)
WIDE = replace(
    TABLE,
    cells=pd.DataFrame({f"column {number}": ["+10.0 [-10.0, +30.0]"] for number in range(8)}),
    terms={f"column {number}": f"number {number}" for number in range(8)},
)


def headers(text):
    """Return the headers of a table, each on one line again."""
    head = re.search(r"\\toprule\n(.*?)\\midrule", text, re.DOTALL)[1]
    lines = [[cell.strip() for cell in line.removesuffix(r"\\").split("&")] for line in head.splitlines()]
    return [" ".join(filter(None, words)) for words in zip(*lines, strict=True)]


def lines_with(text, start):
    return [line for line in text.splitlines() if line.startswith(start)]


def test_a_table_is_ready_for_a_paper():
    assert latex(TABLE) == (
        "% Gains of a_b, suite demo. Plan 0123456789ab.\n"
        "\\begin{table*}[tbp]\n\\centering\n\\setlength{\\belowcaptionskip}{4pt}\n"
        "\\caption{Gains of a\\_b. \\textbf{Phantoms.} Accuracy in percent, k~=~5.}\n\\label{tab:gains}\n"
        "\\normalsize\n\\setlength{\\tabcolsep}{6pt}\n"
        "\\begin{tabular}{@{}lrr@{}}\n\\toprule\n"
        "data set & accuracy & gain over single \\\\\n\\midrule\n"
        "ear\\_chile $\\dagger$ & \\textbf{88.1 $\\pm$ 2.1} & $-$4.2 [$-$9.5, +1.0] \\\\\n"
        "wbc\\_zheng & 54.2 & -- \\\\\n"
        "\\bottomrule\n\\end{tabular}\n"
        "\\par\\vspace{4pt}\n\\parbox{\\linewidth}{\\footnotesize\\raggedright\n"
        "Missing: wbc\\_zheng. $\\dagger$ derived.\\par\n"
        "\\emph{accuracy}: mean $\\pm$ h. \\emph{gain over single}: points, 95~\\% interval.}\n"
        "\\end{table*}\n"
    )


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("95 % of a_b & c#{d}$", r"95~\% of a\_b \& c\#\{d\}\$"),
        (r"\~^|", r"\textbackslash{}\textasciitilde{}\textasciicircum{}\textbar{}"),
        ("<.001 > 2", "$<$.001 $>$ 2"),
        (
            "-4.2 [-9.5, +1.0], x-1, 10-30, 'last - first'",
            "$-$4.2 [$-$9.5, +1.0], x-1, 10-30, 'last - first'",
        ),
        ("\u2212.5 ± 2 \u00d7 3 ≤ 4 ≥ 5 →", r"$-$.5 $\pm$ 2 $\times$ 3 $\leq$ 4 $\geq$ 5 $\rightarrow$"),
        ("ear † ‡, panel-*-100", r"ear $\dagger$ $\ddagger$, panel-*-100"),
        (
            '--layout "as told" 1\u20132 so\u2014so',
            r"-{}-layout ``as told'' 1\textendash{}2 so\textemdash{}so",
        ),
    ],
)
def test_what_latex_would_read_otherwise_is_escaped(text, printed):
    assert escaped(text) == printed


def test_the_font_is_the_largest_in_which_all_columns_fit():
    fonts = {}
    for count in range(9, 13):
        cells = pd.DataFrame({f"M{number}": ["88 ± 2.1"] for number in range(count)})
        text = latex(replace(TABLE, cells=cells))
        fonts[len(headers(text))] = re.search(r"\\(normalsize|small|footnotesize|scriptsize)\n", text)[1]
    assert fonts == {9: "normalsize", 10: "small", 11: "footnotesize", 12: "scriptsize"}


def test_a_table_that_is_too_wide_prints_its_narrow_form_and_says_what_is_left_out():
    text = latex(replace(WIDE, narrow=("column 1", "column 5", "column 7")))
    assert headers(text) == ["column 1", "column 5", "column 7"]
    assert lines_with(text, "%") == [
        "% Gains of a_b, suite demo. Plan 0123456789ab.",
        "% All columns are wider than 170 mm at 7 pt. Left out: column 0; column 2; column 3; column 4; column 6.",
        "% Choose others by tables.gains.columns in a layout (config/tables.yaml): "
        "weckd tables --run RUN --layout FILE",
    ]
    assert r"\emph{column 1}: number 1. \emph{column 5}: number 5. \emph{column 7}: number 7." in text
    assert headers(latex(replace(TABLE, narrow=("accuracy",)))) == [
        "data set",
        "accuracy",
        "gain over single",
    ]


def test_notes_on_columns_that_are_not_printed_are_left_out():
    notes = (
        "column 3: the best of a row.",
        "column 1: told.",
    )
    text = latex(replace(WIDE, narrow=("column 1",), notes=notes))
    assert "\\raggedright\ncolumn 1: told.\\par\n\\emph{column 1}: number 1.}" in text


def test_that_a_run_was_trained_under_other_plans_is_told_without_their_hashes():
    plans = "2 of 5 cells trained under a plan that is not recorded; trained under 9876543210ba, before it was changed"
    text = latex(replace(TABLE, notes=(f"Plan 0123456789ab; {plans}.", "Plan 0123456789ab."), terms={}))
    told = "2 of 5 cells trained under a plan that is not recorded; trained under an earlier plan"
    assert f"\\raggedright\n{told}.}}" in text
    assert lines_with(text, "% Gains") == [f"% Gains of a_b, suite demo. Plan 0123456789ab; {plans}."]
    text = latex(
        replace(
            TABLE, notes=("Plan 0123456789ab; trained under 9876543210ba, before it was changed.",), terms={}
        )
    )
    assert "\\raggedright\nTrained under an earlier plan.}" in text


def test_notes_on_rows_that_a_layout_does_not_print_are_left_out():
    table = replace(TABLE, notes=("ear_chile: derived.", "wbc_zheng: not."), terms={})
    text = latex(table, Layout(tables={"gains": Selection(rows=("wbc_zheng",))}))
    assert "\\raggedright\nwbc\\_zheng: not.}" in text


def test_where_the_narrow_form_is_too_wide_the_first_columns_are_printed():
    columns = tuple(WIDE.cells)[1:]
    assert headers(latex(replace(WIDE, narrow=columns))) == [*columns[:5]]
    assert headers(latex(WIDE)) == [f"column {number}" for number in range(5)]


def test_columns_that_a_layout_chooses_are_printed_whatever_the_narrow_form_is():
    chosen = tuple(f"column {number}" for number in (7, 6, 5, 0))
    text = latex(replace(WIDE, narrow=("column 1", "column 0")), Layout(tables={"gains": Selection(chosen)}))
    assert headers(text) == [*chosen]
    assert "Left out" not in text


def test_cells_of_sentences_are_set_in_paragraphs_and_others_on_one_line():
    why = "The interval of the least favourable comparison of the five lies below the margin. " * 3
    cells = pd.DataFrame({"claim": ["chain over single"], "gain": ["-4.2"], "why": [why.strip()]})
    text = latex(replace(TABLE, cells=cells))
    share = float(
        re.search(r"\{@\{\}lr>\{\\raggedright\\arraybackslash\}p\{(.*)\\linewidth\}@\{\}\}", text)[1]
    )
    assert 0.5 < share < 0.8
    assert why.strip() in text


def test_long_headers_are_broken_above_narrow_cells():
    cells = pd.DataFrame(
        {"data set": ["ear"], "detectable, 2k seeds": ["3.1"], "p, chain over single": [".031"]}
    )
    text = latex(replace(TABLE, cells=cells))
    head = re.search(r"\\toprule\n(.*)\\midrule", text, re.DOTALL)[1]
    assert head == " &  & p, chain \\\\\n & detectable, & over \\\\\ndata set & 2k seeds & single \\\\\n"


def test_a_table_longer_than_a_page_goes_on_in_further_floats():
    rows = {"over": [f"control {row // 10}" for row in range(63)], "gain": [f"{row}.0" for row in range(63)]}
    text = latex(replace(TABLE, cells=pd.DataFrame(rows)))
    floats = text.split(r"\begin{table*}")[1:]
    counts = [len(re.findall(r"\d+\.0 \\\\", part)) for part in floats]
    assert counts == [40, 23]  # whole blocks
    assert text.count(r"\caption{") == text.count(r"\label{") == text.count("Missing: ") == 1
    assert "Missing: " in floats[-1]
    assert "\\centering\nTable~\\ref{tab:gains}, continued.\\par\\vspace{4pt}\n" in floats[1]
    assert headers(floats[1]) == ["over", "gain"]


def test_what_repeats_in_the_first_column_is_printed_once_a_block():
    cells = pd.DataFrame({"over": ["a", "a", "b"], "gain": ["1", "2", "3"]})
    assert "a & 1 \\\\\n & 2 \\\\\n\\addlinespace\nb & 3 \\\\\n" in latex(replace(TABLE, cells=cells))


def test_names_are_broken_at_underscores_before_a_column_is_left_out():
    keys = [f"phantom_data_set_{number}" for number in range(8)]
    cells = pd.DataFrame(
        {"method": ["weckd", "class"]} | {key: ["88.1 ± 2.1", "chronic_otitis_media, 44"] for key in keys}
    )
    text = latex(replace(TABLE, cells=cells))
    assert "Left out" not in text
    assert len(re.findall(r">\{\\raggedleft\\arraybackslash\}p\{0\.\d+\\linewidth\}", text)) == 8
    assert text.count(r"chronic\_\allowbreak{}otitis\_\allowbreak{}media, 44") == 8
    assert " & phantom\\_ & phantom\\_ &" in text
    few = latex(replace(TABLE, cells=cells.iloc[:, :3]))
    assert "method & phantom\\_data\\_set\\_0 & phantom\\_data\\_set\\_1 \\\\" in few
    assert "chronic\\_otitis\\_media, 44" in few
