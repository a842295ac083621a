# From a finished run to one page.


rule html_report:
    """Write the run as one self-contained HTML page, the claims first."""
    input:
        suite=f"{RUN}/suite.json",
        tables=expand(f"{RUN}/tables/{{table}}.md", table=TABLES),
        figures=expand(f"{RUN}/figures/{{figure}}.svg", figure=FIGURES),
        audit=AUDIT,
        manifests=run_files("manifests/{dataset}/{batch}.json", SUITE),
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
        source=source_digest(
            [
                "analysis/captions.py",
                "config.py",
                "data/catalogue.*",
                "report/*.py",
                "report/template/*",
            ]
        ),
    shell:
        "weckd report --run {params.run:q} --out {output:q} 2> {log:q}"
