import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from small_suite import toy_suite
from tiny_run import table_of

from weckd.committed import Beside
from weckd.config import load_suite, suite_json
from weckd.files import write_json
from weckd.report.page import page, write_report

VOID = {"meta", "img", "br", "hr", "link", "input", "wbr"}
LOADING = {"src", "srcset", "poster", "data", "background", "action"}


class Page(HTMLParser):
    """The tags, ids, links, headings and text of a page; refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.loads = [], [], [], [], []
        self.headings, self.words = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.open += [] if tag in VOID else [tag]
        for name, value in attributes:
            assert not name.startswith("on"), f"<{tag} {name}>"
            self.ids += [value] if name == "id" else []
            self.links += [value] if name == "href" else []
            self.loads += [value] if name in LOADING else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            self.headings.append((int(self.open[-1][1]), text))
        if "style" not in self.open:
            self.words.append(text)


def parsed(run):
    return Page(page(load_suite(run / "suite.json"), run))


def change_suite(folder, **changes):
    (folder / "suite.json").write_text(suite_json(replace(toy_suite(), **changes)))


def test_the_page_is_whole_and_loads_nothing(run):
    text = page(toy_suite(), run)
    found = Page(text)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">\n')
    assert not {"script", "iframe", "object", "embed", "link", "base"} & set(found.tags)
    assert len(found.loads) == found.tags.count("img") == 20
    assert all(load.startswith("data:image/") for load in found.loads)
    assert not re.search(r"url\(|@import", text)
    assert [link for link in found.links if not link.startswith("#")] == ["https://arxiv.org/abs/2510.14668"]


def test_ids_are_unique_and_every_entry_of_the_contents_leads_somewhere(run):
    found = parsed(run)
    assert len(found.ids) == len(set(found.ids)) > 20
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)


def test_headings_are_in_order_and_the_claims_first(run):
    headings = parsed(run).headings
    assert headings[:8] == [
        (1, "WeCKD put to the test: the run “toy”"),
        (2, "Contents"),
        (2, "Claims"),
        (3, "Claims, suite toy"),
        (2, "Main results"),
        (3, "Gains at a glance"),
        (3, "Gains over each reference"),
        (3, "Gains by data set, suite toy"),
    ]
    assert all(after - before <= 1 for (before, _), (after, _) in pairwise(headings))


def test_the_first_screen(run):
    text = page(toy_suite(), run)
    first = text[text.index("<body>") : text.index("<nav")]
    phantom = "Phantom images drawn by this suite: says nothing about the paper&#39;s data."
    assert (
        f'<aside class="banner phantom" aria-label="Kind of images"><strong>{phantom}</strong></aside>'
        in first
    )
    assert "7 methods, 3 data sets, 5 repetitions with other random draws (seeds)." in " ".join(first.split())
    assert "here are the answers for phantom and real images together," in first
    assert (
        '<li><span class="claim">1: matches supervised methods</span>: '
        "on the otoscopic data sets the chain matches existing supervised methods\n"
        "        <dl>\n"
        "          <div>\n"
        '            <dt>as worded: <span class="verdict contradicted">contradicted here</span></dt>\n'
        '            <dd class="effect">-14.6 [-18.3, -10.9] against full-converged</dd>\n'
        "          </div>\n"
        "          <div>\n"
        '            <dt>for the chain: <span class="verdict not">not tested</span></dt>\n'
    ) in first
    assert (
        '<details class="why">\n'
        "          <summary>Why, for claim 1</summary>\n"
        "          <p>As worded: low Chance of “shown here”: .12.</p>\n"
        "          <p>For the chain: nothing</p>\n"
        "        </details></li>\n"
    ) in first
    assert first.index("contradicted here") < first.index("not shown here") < first.index("shown here</span>")


def test_a_verdict_is_coloured_with_its_word(run):
    text = page(toy_suite(), run)
    assert '<td class="verdict shown">shown here</td>' in text
    write_json(
        run / "tables" / "main.json", [table_of("Gains by data set", rows=[("toy_two", "shown here")])]
    )
    assert "<td>shown here</td>" in page(toy_suite(), run)  # in another table it is no verdict of a claim


def test_no_verdicts_without_claims(run):
    for name in ("claims.json", "answers.csv"):
        (run / "tables" / name).unlink()
    words = "".join(parsed(run).words)
    assert "No verdicts: the run has no table of claims, or tests none of them." in words
    assert "Missing in this run: tables/claims.json" in words
    assert page(toy_suite(), run).count('<span class="lacks">incomplete</span>') == 1


def test_too_few_seeds_are_told_first(run):
    change_suite(run, seeds=(1, 2))
    assert "Fewer than 5 seeds: this run describes, it tests nothing." in "".join(parsed(run).words)


def test_a_quick_look_shows_gains_and_no_verdicts(run, monkeypatch):
    header = ("claim", "question", "verdict")
    beside = Beside("Verdicts of another.", header, (("1: a", "as worded", "shown <here>"),))
    monkeypatch.setattr("weckd.report.page.beside_quick_look", lambda suite: beside)
    facts = toy_suite().facts
    small = replace(facts["toy_two"], key="ear_chile_small", title="Ears, small copy at 64 px")
    change_suite(run, quick_look=True, datasets=("ear_chile_small",), facts={**facts, small.key: small})
    file = run / "tables" / "answers.csv"
    file.write_text(file.read_text().replace(",contradicted here,", ",not tested (quick look),"))
    text = page(load_suite(run / "suite.json"), run)
    words = "".join(parsed(run).words)
    assert "The data set holds real medical images. Ears, small copy at 64 px: CC0." in words
    assert "A quick look: this run tests none of the paper's claims; it shows gains and intervals" in words
    assert "here are the answers" not in words
    assert '<span class="verdict not">not tested (quick look)</span>' in text
    first = text[: text.index("<nav")]
    assert '<p class="caption">Verdicts of another.</p>' in first
    assert 'aria-label="Verdicts of the committed reference"' in first
    assert '<tr><th scope="row">1: a</th><td>shown &lt;here&gt;</td><td>as worded</td></tr>' in first
    assert first.index("Verdicts of another.") < first.index('<ul class="answers">')


def test_real_images_carry_no_phantom_banner_but_a_word_on_licences(run):
    suite = toy_suite()
    facts = {key: replace(fact, phantom=False) for key, fact in suite.facts.items()}
    change_suite(run, facts=facts)
    text = page(load_suite(run / "suite.json"), run)
    assert 'class="banner real" aria-label="Kind of images"><strong>Real images</strong></aside>' in text
    assert "<title>WeCKD, toy</title>" in text
    assert (
        "The sheets show images of the data sets: look at their licences before you pass this page on."
        in text
    )
    assert "here are the answers,\n" in text


HOSTILE = "<script>alert('x')</script>"


def test_hostile_names_come_out_as_text(run):
    suite = toy_suite()
    facts = {**suite.facts, "toy_two": replace(suite.facts["toy_two"], title=HOSTILE)}
    change_suite(run, facts=facts, run=HOSTILE, exclude_classes={"toy_two": (HOSTILE,)}, catalogue=HOSTILE)
    write_json(run / "tables" / "extra.json", [table_of(HOSTILE, rows=[("toy_two", HOSTILE)])])
    (run / "figures" / "<script>.svg").write_text("<svg/>")
    write_json(run / "tables" / "<script>.json", [table_of("Named")])
    (run / "tables" / "<script>.csv").write_text("")
    found = parsed(run)
    assert "script" not in found.tags
    # title, first heading, suite, classes left out, title of a data set, title and cell of a table
    assert "".join(found.words).count(HOSTILE) == 7


def test_a_wide_table_shows_few_columns_until_its_box_is_ticked(run):
    columns, row = ("data set", "single", "weckd", "p"), ("toy_two", "1.0", "2.0", ".03")
    told = table_of("Gains", columns, [row], narrow=["data set", "weckd", "not printed"])
    write_json(run / "tables" / "main.json", [told])
    text = page(toy_suite(), run)
    assert (
        '<input class="all" type="checkbox" id="main-1-all"><label for="main-1-all">Show all 4 columns</label>\n'
        '      <div class="wide" role="region" tabindex="0" aria-label="Gains">\n'
    ) in text
    assert (
        '<thead><tr><th scope="col">data set</th><th scope="col" class="x">single</th>'
        '<th scope="col">weckd</th><th scope="col" class="x">p</th></tr></thead>\n'
    ) in text
    assert (
        '<tr><th scope="row">toy_<wbr>two</th><td class="x">1.0</td><td>2.0</td><td class="x">.03</td></tr>\n'
    ) in text
    assert text.count('type="checkbox"') == 1


def test_a_table_whose_narrow_headers_were_all_relabelled_shows_every_column(run):
    write_json(run / "tables" / "main.json", [table_of("Gains", narrow=["dataset"])])
    text = page(toy_suite(), run)
    assert '<tr><th scope="row">toy_<wbr>two</th><td>1.0</td></tr>' in text
    assert 'type="checkbox"' not in text


def test_below_a_table_are_its_notes_and_the_file_of_its_numbers(run):
    told = table_of("Gains", notes=["Seed 3 is missing.", "a < b"], terms={"value": "what it is worth"})
    write_json(run / "tables" / "main.json", [told])
    (run / "tables" / "main.csv").write_text("dataset,value\n")
    assert (
        '      <ul class="notes">\n'
        "        <li>Seed 3 is missing.</li>\n"
        "        <li>a &lt; b</li>\n"
        "      </ul>\n"
        '      <p class="files">All numbers: <a href="tables/main.csv">tables/main.csv</a> · '
        '<a href="#columns">What the columns mean</a></p>\n'
    ) in page(toy_suite(), run)


def test_a_note_that_most_tables_have_is_printed_once(run):
    notes = ["Plan x; trained under y.", "Seed 3 is missing."]
    for file in sorted((run / "tables").glob("*.json")):
        told = json.loads(file.read_text())
        for table in told:
            table["notes"] = notes[: 2 if file.stem == "main" else 1]
        write_json(file, told)
    text = page(toy_suite(), run)
    assert (
        '    <h3 id="notes">Notes on this run</h3>\n'
        '      <ul class="notes">\n        <li>Plan x; trained under y.</li>\n      </ul>\n'
    ) in text
    assert '<ul class="notes">\n        <li>Seed 3 is missing.</li>\n      </ul>\n' in text
    assert text.count("Plan x; trained under y.") == 1
    assert text.count('<p class="files"><a href="#notes">Notes on this run</a></p>') == 23


def test_what_columns_mean_is_said_once_with_all_headers_that_mean_it(run):
    gain = "points that the chain is better"
    told = {"over single": gain, "p": "of the t test"}
    write_json(
        run / "tables" / "main.json",
        [table_of(f"{name}, suite toy", terms=told) for name in ("Gains", "Labels")],
    )
    write_json(run / "tables" / "panel.json", [table_of("Panel", terms={"over pooled": gain, "p": "a < b"})])
    text = page(toy_suite(), run)
    assert text.index('<section id="reading">') < text.index('<h3 id="columns">What the columns mean</h3>')
    assert (
        '    <dl class="terms">\n'
        f"      <div><dt>over single; over pooled</dt> <dd>{gain}</dd></div>\n"
        "      <div><dt>p (“Gains” and 1 more)</dt> <dd>of the t test</dd></div>\n"
        "      <div><dt>p (“Panel”)</dt> <dd>a &lt; b</dd></div>\n"
        "    </dl>\n"
    ) in text


def test_small_pictures_of_each_data_set_are_side_by_side(run):
    text = page(toy_suite(), run)
    part = text[text.index('<section id="classes">') : text.index('<section id="limits">')]
    beside, alone = part.index('<div class="pictures beside">'), part.index('<div class="pictures">')
    titles = [
        part.index(f"<h3>{title}") for title in ("Confusion of classes: toy_three", "ROC curves: toy_copy")
    ]
    assert beside < titles[0] < titles[1] < alone < part.index("<h3>Reliability")


def test_the_phantom_sentence_stands_at_every_table_and_figure(run):
    text = page(toy_suite(), run)
    assert text.count('<p class="caption"><strong>Phantom images') == 25
    assert text.count("<figcaption><strong>Phantom images") == 20


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    write_report(run, tmp_path / "one.html")
    write_report(run, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_of_a_drawn_reference_the_page_says_why_it_has_no_pictures_of_the_audit(run):
    (run / "audit" / "thresholds.svg").unlink()
    of_a_run = "".join(parsed(run).words)
    assert "Missing in this run: audit/thresholds.svg.\n" in of_a_run
    (run / "drawn-from.json").write_text(json.dumps({"plan_hash": toy_suite().plan_hash}))
    told = "Missing in this run: audit/thresholds.svg, as it was drawn from a frozen reference, which holds no images."
    assert told in "".join(parsed(run).words)


@pytest.mark.parametrize("gone", ["tables", "figures", "audit", "manifests"])
def test_a_run_that_lacks_a_folder_has_a_page_that_says_so(run, gone):
    (run / gone).rename(run / "elsewhere")
    assert f"Missing in this run: {gone}/" in "".join(parsed(run).words)
