import json

import pandas as pd
import pytest
from small_suite import toy_suite, with_plan
from tiny_run import PHANTOM, table_of

from weckd.analysis_plan import Amendment
from weckd.errors import UserError
from weckd.report.tables import Block, Cell, amendments_block, read_blocks, text_block
from weckd.tables.cells import Bold, Gain, Joined
from weckd.tables.render import Table, json_text


def blocks_of(tmp_path, text):
    file = tmp_path / "some.json"
    file.write_text(text, encoding="utf-8")
    return read_blocks(file)


def test_title_caption_and_cells(tmp_path):
    cells = pd.DataFrame({"data set": ["ear †"], "gain": [Joined((Bold("best"), Gain(1.0, 0.2, 1.8)))]})
    told = {"notes": ("a < b",), "terms": {"gain": "in points"}, "narrow": ("gain",)}
    table = Table("Gains", "In points.", "gains", cells, PHANTOM, **told)
    strong = "<strong>Phantom images drawn by this suite: says nothing about the paper's data.</strong>"
    assert blocks_of(tmp_path, json_text([table])) == (
        Block(
            "Gains",
            f"{strong} In points.",
            (Cell("data set", "data set"), Cell("gain", "gain")),
            (
                (
                    Cell("ear †", "ear †"),
                    Cell("best +1.0 [+0.2, +1.8]", "<strong>best</strong> +1.0 [+0.2, +1.8]"),
                ),
            ),
            "gains",
            ("a &lt; b",),
            {"gain": "in points"},
            ("gain",),
        ),
    )


def test_that_something_is_missing_is_in_bold(tmp_path):
    cells = pd.DataFrame({"gain": [Gain(1.0)]})
    (block,) = blocks_of(
        tmp_path, json_text([Table("Gains", "In points. MISSING: 2, named below.", "gains", cells)])
    )
    assert block.caption == "In points. <strong>MISSING: 2, named below.</strong>"


def test_tables_of_references_from_before_tables_had_notes_are_read(tmp_path):
    told = {key: value for key, value in table_of("Audit").items() if key not in ("notes", "terms", "narrow")}
    (block,) = blocks_of(tmp_path, json.dumps([told]))
    assert (block.title, block.notes, block.terms, block.narrow) == ("Audit", (), {}, ())


def test_every_table_of_a_file(tmp_path):
    tables = [
        Table(title, "", title.lower(), pd.DataFrame({"a": rows}))
        for title, rows in (("One", ["1"]), ("Two", []))
    ]
    found = blocks_of(tmp_path, json_text(tables))
    assert [(block.title, block.label, block.caption, len(block.rows)) for block in found] == [
        ("One", "one", "", 1),
        ("Two", "two", "", 0),
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ('"><img src=x onerror=y>', "&quot;&gt;&lt;img src=x onerror=y&gt;"),
        ("![x](https://example.org/x.png)", "![x](https://example.org/x.png)"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("<https://example.org>", "&lt;https://example.org&gt;"),
        ("a & b < c", "a &amp; b &lt; c"),
        ("a | b \\| **c** `d`", "a | b \\| **c** `d`"),
        ("chronic_otitis_media, normal_ear", "chronic_otitis_media, normal_ear"),
        ("-18.3* [-25.2, -11.5]", "-18.3* [-25.2, -11.5]"),
    ],
)
def test_no_text_becomes_markup(tmp_path, written, shown):
    cells = pd.DataFrame({written: [written, Bold(written)]})
    (block,) = blocks_of(tmp_path, json_text([Table(written, written, "x", cells, written)]))
    assert block.title == written  # escaped where the page prints it
    assert block.caption == f"<strong>{shown}</strong> {shown}"
    assert block.header == (Cell(written, shown),)
    assert block.rows == ((Cell(written, shown),), (Cell(written, f"<strong>{shown}</strong>"),))


def test_a_block_of_plain_text_is_escaped():
    block = text_block("Data", "a < b", ("<b>",), [("<i>",), (3,)])
    assert block.caption == "a &lt; b"
    assert block.header == (Cell("<b>", "&lt;b&gt;"),)
    assert block.rows == ((Cell("<i>", "&lt;i&gt;"),), (Cell("3", "3"),))


@pytest.mark.parametrize(("length", "long"), [(40, False), (41, True)])
def test_prose_is_told_from_numbers_by_its_length(length, long):
    assert Cell("x" * length, "").long is long


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"### Gains",
        b"3",
        b'[{"title": "Gains"}]',
        json.dumps([table_of("x", rows=[(1,)])]).encode(),
        json.dumps([table_of("x", rows=[([{"<b>": "1"}],)])]).encode(),
    ],
)
def test_a_file_that_holds_no_tables(tmp_path, content):
    file = tmp_path / "main.json"
    file.write_bytes(content)
    with pytest.raises(
        UserError,
        match=r"main\.json: not tables of a run \(.*\); make them again, or move away what is no table$",
    ):
        read_blocks(file)


def test_the_page_lists_what_was_changed_of_the_plan_and_whether_results_were_seen():
    changes = (Amendment("2026-11-29", "claims read twice", True), Amendment("2026-11-30", "a metric", False))
    block = amendments_block(with_plan(toy_suite(), amendments=changes))
    assert block.caption == "These lines are part of the plan, whose hash every table names: 0123456789ab."
    assert [[cell.text for cell in row] for row in (block.header, *block.rows)] == [
        ["date", "when", "change"],
        ["2026-11-29", "after results were seen", "claims read twice"],
        ["2026-11-30", "before", "a metric"],
    ]
    assert amendments_block(toy_suite()).nothing == "nothing was changed of this plan"
