import pytest
from tiny_run import PHANTOM

from weckd.errors import UserError
from weckd.report.blocks import Block, Cell, read_blocks, text_block


def blocks_of(tmp_path, text):
    file = tmp_path / "some.md"
    file.write_text(text, encoding="utf-8")
    return read_blocks(file)


def test_title_caption_and_cells(tmp_path):
    text = f"### Gains\n\n{PHANTOM} In points.\n\n| data set   | gain |\n|:--|:--|\n| ear † | **+1.0** [+0.2, +1.8] |\n"
    strong = "<strong>Phantom images drawn by this suite: says nothing about the paper's data.</strong>"
    assert blocks_of(tmp_path, text) == (
        Block(
            "Gains",
            f"{strong} In points.",
            (Cell("data set", "data set"), Cell("gain", "gain")),
            ((Cell("ear †", "ear †"), Cell("+1.0 [+0.2, +1.8]", "<strong>+1.0</strong> [+0.2, +1.8]")),),
        ),
    )


def test_every_table_of_a_file(tmp_path):
    table = "| a |\n|:--|\n| 1 |\n"
    text = f"{table}\n### One\n\n{table}\n### Two\n\nNo table.\n\n### Three\n\n{table}\nBetween.\n\n{table}"
    found = blocks_of(tmp_path, text)
    assert [(block.title, block.caption, len(block.rows)) for block in found] == [
        ("some", "", 1),
        ("One", "", 1),
        ("Two", "No table.", 0),
        ("Three", "Between.", 1),
        ("Three", "", 1),
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
        ("chronic_otitis_media, normal_ear", "chronic_otitis_media, normal_ear"),
        ("-18.3* [-25.2, -11.5]", "-18.3* [-25.2, -11.5]"),
    ],
)
def test_no_text_becomes_markup(tmp_path, written, shown):
    (block,) = blocks_of(tmp_path, f"### {written}\n\n{written}\n\n| {written} |\n|:--|\n| {written} |\n")
    assert block.title == written  # escaped where the page prints it
    assert block.caption == shown
    assert block.header == (Cell(written, shown),)
    assert block.rows == ((Cell(written, shown),),)


def test_a_block_of_plain_text_is_escaped():
    block = text_block("Data", "a < b", ("<b>",), [("<i>",), (3,)])
    assert block.caption == "a &lt; b"
    assert block.header == (Cell("<b>", "&lt;b&gt;"),)
    assert block.rows == ((Cell("<i>", "&lt;i&gt;"),), (Cell("3", "3"),))


@pytest.mark.parametrize(("length", "long"), [(40, False), (41, True)])
def test_prose_is_told_from_numbers_by_its_length(length, long):
    assert Cell("x" * length, "").long is long


def test_a_file_that_is_no_text(tmp_path):
    file = tmp_path / "main.md"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"main\.md: not UTF-8 text .*; make the run's tables again"):
        read_blocks(file)
