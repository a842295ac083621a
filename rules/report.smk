# From a finished run to one page, and to the record of what it was made from.

from weckd.committed import FULL


localrules:
    provenance,


rule html_report:
    """Write the run as one self-contained HTML page, the claims first."""
    input:
        suite=RUN.suite,
        tables=expand(RUN.tables / "{table}.json", table=TABLES),
        answers=RUN.tables / "answers.csv",
        figures=expand(RUN.figures / "{figure}.svg", figure=FIGURES),
        audit=AUDIT,
        manifests=MANIFESTS,
        drawn_from=[RUN.drawn_from] if RECORDS == "reference" else [],
        # Licence and source of the user's own entries.
        facts=(
            expand(PREPARED / "dataset.json", dataset=SUITE.datasets)
            if SUITE.catalogue and RECORDS == "run"
            else []
        ),
    output:
        shown(RUN.report, "Report", "page", page="the whole run"),
        sums=sums_of(RUN.report),
    log:
        RUN.log("html_report"),
    params:
        again=made_again(sums_of(RUN.report)),
        # Whose verdicts are shown with those of a quick look.
        beside=(
            content_of(f"results/reference/{FULL}/reference.json")
            if SUITE.quick_look
            else []
        ),
        run=subpath(input.suite, parent=True),
        source=code_of("weckd.cli.finished:_report"),
    shell:
        "weckd report --run {params.run:q} 2> {log:q}"


rule provenance:
    """Describe the finished run as a Workflow Run RO-Crate; `weckd verify` compares it with what is there."""
    input:
        suite=RUN.suite,
        records=PREDICTIONS,
        manifests=MANIFESTS,
        audit=AUDIT,
        tables=expand(RUN.tables / "{table}.csv", table=TABLES),
        figures=expand(RUN.figures / "{figure}.svg", figure=FIGURES),
        report=rules.html_report.output,
    output:
        crate=RUN.crate,
        workflow=directory(RUN.folder / "workflow"),
    log:
        RUN.log("provenance"),
    params:
        run=subpath(input.suite, parent=True),
        root=beside_workflow("."),
        source=code_of("weckd.cli.finished:_provenance"),
    shell:
        "weckd provenance --run {params.run:q} --workflow {params.root:q} 2> {log:q}"
