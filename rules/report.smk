# From a finished run to one page, and to the record of what it was made of.


localrules:
    provenance,


rule html_report:
    """Write the run as one self-contained HTML page, the claims first."""
    input:
        suite=f"{RUN}/suite.json",
        tables=expand(f"{RUN}/tables/{{table}}.md", table=TABLES),
        answers=f"{RUN}/tables/answers.csv",
        figures=expand(f"{RUN}/figures/{{figure}}.svg", figure=FIGURES),
        audit=AUDIT,
        manifests=run_files("manifests/{dataset}/{batch}.json", SUITE),
        # What the user's own entries say of licence and source.
        facts=(
            expand(f"{PREPARED}/dataset.json", dataset=SUITE.datasets)
            if SUITE.catalogue and RECORDS == "run"
            else []
        ),
    output:
        report(
            f"{RUN}/report.html",
            category="Report",
            caption="../report/page.rst",
            labels={"page": "the whole run"},
        ),
    log:
        f"{RUN}/logs/html_report.log",
    params:
        run=subpath(input.suite, parent=True),
        source=code_of("weckd.cli.report:_report"),
    shell:
        "weckd report --run {params.run:q} --out {output:q} 2> {log:q}"


rule provenance:
    """Describe the finished run as a Workflow Run RO-Crate; `weckd verify` compares it with what is there."""
    input:
        suite=f"{RUN}/suite.json",
        records=prediction_files(SUITE),
        manifests=run_files("manifests/{dataset}/{batch}.json", SUITE),
        audit=AUDIT,
        tables=expand(f"{RUN}/tables/{{table}}.csv", table=TABLES),
        figures=expand(f"{RUN}/figures/{{figure}}.svg", figure=FIGURES),
        report=rules.html_report.output,
    output:
        crate=f"{RUN}/ro-crate-metadata.json",
        workflow=directory(f"{RUN}/workflow"),
    log:
        f"{RUN}/logs/provenance.log",
    params:
        run=subpath(input.suite, parent=True),
        root=beside_workflow("."),
        source=code_of("weckd.cli.provenance:_provenance"),
    shell:
        "weckd provenance --run {params.run:q} --workflow {params.root:q} 2> {log:q}"
