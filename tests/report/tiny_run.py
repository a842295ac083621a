"""A run made by hand: a line or two in each file that the page reads, and known gaps nowhere."""

from pathlib import Path

from small_suite import toy_suite

from weckd.analysis.registry import figure_names
from weckd.config import suite_json
from weckd.files import write_json, write_text

PHANTOM = "Phantom images drawn by this suite: says nothing about the paper's data."
SVG = '<svg xmlns="http://www.w3.org/2000/svg" id="figure_1"><g id="axes_1"/></svg>\n'
TITLES = {
    "tables/main": ["Gains by data set, suite toy"],
    "tables/gains": [
        "Families of the plan, suite toy",
        "Chain over single, by data set, suite toy",
        "Chain over controls, by data set, suite toy",
        "Along the chain, by data set, suite toy",
        "Links of the chain, by data set, suite toy",
    ],
    "tables/along": ["Along the chain, suite toy"],
    "tables/copied": ["Copied errors"],
    "tables/published": ["What the paper says"],
    "tables/panel": ["Supervised panel"],
    "tables/across": ["Across data sets"],
    "tables/modality": ["By modality"],
    "tables/leave-one-out": ["Leave one out"],
    "tables/sensitivity": ["Nine tests"],
    "tables/variance": ["Variance"],
    "tables/metrics": ["Metrics"],
    "tables/classes": ["Classes"],
    "tables/confusion": ["Confusion"],
    "tables/accuracy": ["Accuracy, labels of the chain, suite toy"],
    "tables/checks": ["Checks, suite toy"],
    "tables/splits": ["Splits, suite toy"],
    "tables/budgets": ["Budgets, labels of the chain"],
    "audit/audit": ["Audit: copies"],
    "audit/across": ["Audit: copies across data sets"],
}
LABELS = {
    "Families of the plan, suite toy": "families",
    "Chain over controls, by data set, suite toy": "gains-chain-over-controls",
    "Along the chain, by data set, suite toy": "gains-along-the-chain",
    "Links of the chain, by data set, suite toy": "gains-links-of-the-chain",
}
CLAIMS = (
    "claim | verdict as worded | as worded [95 % CI] | verdict for the chain | for the chain [95 % CI]",
    "1: matches supervised methods | contradicted here | -14.6 [-18.3, -10.9] | not shown here | -",
    "4: each link refines | not shown here | +0.4 [-2.4, +3.2] | shown here | +5.0 [+1.4, +8.6]",
)

ANSWERS = """claim,question,verdict,effect,compared,comparisons,margin,chance,why
1: matches supervised methods,as worded,contradicted here,"-14.6 [-18.3, -10.9]",against full-converged,1 of 2,-,.12,low
1: matches supervised methods,for the chain,not tested,-,-,0 of 1,-,-,nothing
4: each link refines,as worded,not shown here,"+0.4 [-2.4, +3.2]",stage 3,2,-,.20,the interval holds 0
4: each link refines,for the chain,shown here,"+5.0 [+1.4, +8.6]",over one-step,1,up to 1.4,.30,above
5: as good as all labels (our reading),as worded,not tested,-,-,0 of 1,-,-,nothing
"""


def table_of(title, columns=("data set", "value"), rows=(("toy_two", "1.0"),), caption="Plan abc.", **more):
    """Return a table as the suite writes it as JSON; of one number where nothing else is told."""
    head = {"title": title, "label": LABELS.get(title, "toy"), "warning": PHANTOM, "caption": caption}
    return {**head, "notes": [], "terms": {}, "narrow": [], **more, "columns": columns, "rows": rows}


def write_tiny_run(folder: Path) -> None:
    """Write the small suite's settings, tables of one number, drawings of nothing, and manifests of two fits."""
    suite = toy_suite()
    write_text(folder / "suite.json", suite_json(suite))
    columns, *claims = (line.split(" | ") for line in CLAIMS)
    write_json(folder / "tables" / "claims.json", [table_of("Claims, suite toy", columns, claims)])
    write_text(folder / "tables" / "answers.csv", ANSWERS)
    for file, titles in TITLES.items():
        write_json(folder / f"{file}.json", list(map(table_of, titles)))
    figures = [f"figures/{name}" for name in figure_names(suite.datasets) if name != "attention"]
    for name in (*figures, "audit/thresholds"):
        write_text(folder / f"{name}.svg", SVG)
        (folder / f"{name}.png").write_bytes(b"the same, in pixels")
    for dataset in suite.datasets:
        (folder / "audit" / f"{dataset}.png").write_bytes(b"a sheet")
        seeds = {str(seed): manifest_cell(dataset, seed) for seed in suite.seeds}
        content = {"dataset": dataset, "threads": 1, "seeds": seeds}
        write_json(folder / "manifests" / dataset / "seeds1-5.json", content)


def manifest_cell(dataset, seed):
    """Return a cell of two fits: one network of 10 steps, and two networks of 20 that diverged."""
    fits = {
        f"{dataset}{seed}a": {"networks": 1, "steps_run": 10, "images": 160, "status": "finished"},
        f"{dataset}{seed}b": {"networks": 2, "steps_run": 20, "images": 320, "status": "diverged"},
    }
    cell = {"device": "cpu x86_64 AVX2", "versions": {"numpy": "2.4.6", "torch": "2.13.0"}}
    return {"cell": cell, "images_of_part": {}, "fits": fits, "methods": {}}
