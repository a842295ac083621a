import json
import shutil
from html import escape

from small_suite import GOLDEN, toy_suite
from tiny_run import table_of

from weckd.analysis.figures import style
from weckd.analysis.registry import TABLES
from weckd.analysis.sheet import nothing
from weckd.files import write_json
from weckd.report.contents import SECTIONS
from weckd.report.fill import fill
from weckd.report.page import page
from weckd.tables.captions import NO_FAMILY
from weckd.tables.render import write_table_file

SVG_URI = (  # of tiny_run.SVG
    'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" id="figure_1"><g id="axes_1"/></svg>'
)


def titles(run):
    """Return the titles of each section's pictures and tables, in the page's order."""
    return {
        filled.section.title: [part.title for part in (*filled.pictures, *filled.blocks)]
        for filled in fill(toy_suite(), run)
    }


def missing(run):
    return {filled.section.key: filled.missing for filled in fill(toy_suite(), run) if filled.missing}


def test_each_file_stands_in_its_section_and_nothing_is_missing(run):
    assert titles(run) == {
        "Claims": ["Claims, suite toy"],
        "Main results": ["Gains at a glance", "Gains over each reference", "Gains by data set, suite toy"],
        "Is it the chain?": [
            "What may be as good",
            "Label efficiency",
            "More labels, more steps",
            "Families of the plan, suite toy",
            "Chain over controls, by data set, suite toy",
        ],
        "Along the chain": [
            "Gains along the chain",
            "Errors that the next model repeats",
            "Along the chain, suite toy",
            "Along the chain, by data set, suite toy",
            "Links of the chain, by data set, suite toy",
            "Copied errors",
        ],
        "Methods and classes": [
            "Confusion of classes: toy_three",
            "ROC curves: toy_three",
            "Confusion of classes: toy_two",
            "ROC curves: toy_two",
            "Confusion of classes: toy_copy",
            "ROC curves: toy_copy",
            "Reliability",
            "Mean ranks",
            "Accuracy, labels of the chain, suite toy",
            "Metrics",
            "Classes",
            "Confusion",
        ],
        "What this cannot show": ["Limits of this run"],
        "Other tables": [
            "More seeds or more images?",
            "What the paper says",
            "Supervised panel",
            "Across data sets",
            "By modality",
            "Leave one out",
            "Nine tests",
            "Variance",
            "Chain over single, by data set, suite toy",
            "Checks, suite toy",
        ],
        "Audit of the images": [
            "Clusters by threshold",
            "Example pairs: toy_three",
            "Example pairs: toy_two",
            "Example pairs: toy_copy",
            "Audit: copies",
            "Audit: copies across data sets",
        ],
        "Data and licences": ["Data sets", "Splits, suite toy"],
        "Environment and settings": ["Machines and libraries", "Settings"],
        "Cost": ["What was trained", "Budgets, labels of the chain"],
        "How to read this": [],
    }
    assert missing(run) == {}


def test_every_table_of_the_registry_has_its_place_by_the_labels_that_it_is_written_with():
    named = [name.partition("#") for section in SECTIONS for name in section.tables if "/" not in name]
    assert {name for name, _, _ in named} == set(TABLES)
    for name, _, label in named:
        tables = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
        assert label in {"", *(table["label"] for table in tables)}


def test_pictures_are_embedded(run):
    pictures = [picture for filled in fill(toy_suite(), run) for picture in filled.pictures]
    assert pictures[0].uri == SVG_URI
    assert pictures[-1].uri == "data:image/png;base64,YSBzaGVldA=="
    assert pictures[-1].alt == (
        "Up to twelve pairs of images of toy_copy that are identical or nearly so, and as many suspected variants, "
        "each with the names of its images, their classes and the pair's correlation."
    )


def test_a_drawing_ends_no_attribute_and_is_no_longer_than_it_must_be(run):
    (run / "figures" / "summary.svg").write_text(
        "<svg>\n <!-- it's -->\n <g d='M 1 \n2' e=\"100%&#65;\"/>\n</svg>\n"
    )
    (main,) = (filled for filled in fill(toy_suite(), run) if filled.section.key == "main")
    assert main.pictures[0].uri == 'data:image/svg+xml,<svg><g d=%27M 1 2%27 e="100%25%26%2365;"/></svg>'


def test_what_no_section_names_stands_at_the_end(run):
    write_json(run / "tables" / "extra.json", [table_of("Extra")])
    write_json(run / "tables" / "sums.json", {"extra.json": "of what it was"})  # no table
    (run / "figures" / "more.svg").write_text("<svg/>")
    (run / "figures" / "photo.png").write_bytes(b"pixels alone")
    assert list(titles(run).items())[-1] == (
        "More",
        ["figures/more.svg", "figures/photo.png", "Extra"],
    )
    assert len(titles(run)) == len(SECTIONS) + 1


def test_files_that_only_some_runs_have(run):
    write_json(run / "selfcheck" / "selfcheck.json", [table_of("Self-checks")])
    (run / "figures" / "attention.svg").write_text("<svg/>")
    assert titles(run)["Other tables"][-1] == "Self-checks"
    assert titles(run)["Along the chain"][2] == "Attention maps"
    assert missing(run) == {}


def test_what_is_missing_is_named(run):
    (run / "tables" / "claims.json").unlink()
    write_json(run / "tables" / "gains.json", [table_of("Families of the plan, suite toy")])
    for name in ("chain", "roc-toy_two"):
        for kind in ("svg", "png"):
            (run / "figures" / f"{name}.{kind}").unlink()
    shutil.rmtree(run / "audit")
    assert missing(run) == {
        "claims": ("tables/claims.json",),
        "controls": ("tables/gains.json: no table 'gains-chain-over-controls'",),
        "along": (
            "tables/gains.json: no table 'gains-along-the-chain'",
            "tables/gains.json: no table 'gains-links-of-the-chain'",
            "figures/chain.svg",
        ),
        "classes": ("figures/roc-toy_two.svg",),
        "audit": (
            "audit/audit.json",
            "audit/across.json",
            "audit/thresholds.svg",
            "audit/toy_three.png",
            "audit/toy_two.png",
            "audit/toy_copy.png",
        ),
    }


def test_what_has_nothing_to_show_stands_in_one_line_a_reason(run):
    suite = toy_suite()
    for name, title in (("across", "Across data sets"), ("modality", "By modality")):
        file = nothing(suite, name, title, "comparison", NO_FAMILY)
        write_table_file(run / "tables", file)
    with style.styled():
        figure = style.nothing(suite, "Mean ranks", "2 whole methods & 1 data set")
    style.save(figure, run / "figures", "ranks")
    filled = {part.section.key: part for part in fill(suite, run)}
    assert filled["tables"].empty == (f"Across data sets, By modality: {NO_FAMILY}",)
    assert filled["classes"].empty == ("Mean ranks: 2 whole methods & 1 data set",)
    assert "Across data sets, suite toy" not in [block.title for block in filled["tables"].blocks]
    assert [picture.title for picture in filled["classes"].pictures][-1] == "Reliability"
    text = page(suite, run)
    assert (
        f"Nothing to show in Across data sets, By modality: {escape(NO_FAMILY, quote=False)}."
        in text.replace("&#39;", "'")
    )
    assert "Nothing to show in Mean ranks: 2 whole methods &amp; 1 data set." in text


def test_a_table_without_rows_shows_its_caption_alone(run):
    write_json(
        run / "tables" / "tuned.json",
        [table_of("Settings, suite toy", ("a", "b"), (), "No method is tuned.")],
    )
    text = page(toy_suite(), run)
    assert "</strong> No method is tuned.</p>" in text
    assert 'aria-label="Settings, suite toy"' not in text
