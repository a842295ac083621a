# From predictions alone to tables and figures.

PREDICTIONS = prediction_files(SUITE)
# Predictions made elsewhere, which `weckd import-predictions` puts there.
IMPORTED = sorted(map(str, Path(RUN, "imported").glob("*.parquet")))


ATTENTION = attention_files(SUITE)
PUBLISHED = "config/published.yaml"


rule tables:
    input:
        suite=f"{RUN}/suite.json",
        predictions=PREDICTIONS,
        imported=IMPORTED,
        attention=ATTENTION,
        across=ACROSS,
        splits=run_files("splits/{dataset}/seed{seed}.csv", SUITE),
        manifests=run_files("manifests/{dataset}/{batch}.json", SUITE),
    output:
        expand(f"{RUN}/tables/{{table}}.{{kind}}", table=TABLES, kind=["md", "tex"]),
        f"{RUN}/tables/answers.csv",
        [
            report(
                f"{RUN}/tables/{table}.csv",
                category="Tables",
                caption="../report/table.rst",
                labels={"table": table},
            )
            for table in TABLES
        ],
    log:
        f"{RUN}/logs/tables.log",
    params:
        run=subpath(input.suite, parent=True),
        layout=beside_workflow("config/tables.yaml"),
        published=beside_workflow(PUBLISHED),
        content=content_of("config/tables.yaml", PUBLISHED),
        source=code_of("weckd.cli.analysis:_tables"),
    shell:
        "weckd tables --run {params.run:q} --layout {params.layout:q} --published {params.published:q}"
        " --out {params.run:q}/tables 2> {log:q}"


rule figures:
    input:
        suite=f"{RUN}/suite.json",
        predictions=PREDICTIONS,
        imported=IMPORTED,
        attention=ATTENTION,
        across=ACROSS,
        splits=run_files("splits/{dataset}/seed{seed}.csv", SUITE),
        manifests=run_files("manifests/{dataset}/{batch}.json", SUITE),
    output:
        expand(f"{RUN}/figures/{{figure}}.png", figure=FIGURES),
        [
            report(
                f"{RUN}/figures/{figure}.svg",
                category="Figures",
                caption="../report/figure.rst",
                labels={"figure": figure},
            )
            for figure in FIGURES
        ],
    log:
        f"{RUN}/logs/figures.log",
    params:
        run=subpath(input.suite, parent=True),
        source=code_of("weckd.cli.analysis:_figures"),
    shell:
        "weckd figures --run {params.run:q} --out {params.run:q}/figures 2> {log:q}"


rule specification:
    """The readings of the paper, sorted by what they gain: a table and a specification curve."""
    input:
        suite=f"results/{READINGS.run}/suite.json",
        predictions=prediction_files(READINGS),
        across=ACROSS,
    output:
        expand(
            f"results/{READINGS.run}/tables/readings.{{kind}}",
            kind=["csv", "md", "tex"],
        ),
        f"results/{READINGS.run}/figures/specification.png",
        report(
            f"results/{READINGS.run}/figures/specification.svg",
            category="Figures",
            caption="../report/figure.rst",
            labels={"figure": "specification"},
        ),
    log:
        f"results/{READINGS.run}/logs/specification.log",
    params:
        run=subpath(input.suite, parent=True),
        published=beside_workflow(PUBLISHED),
        content=content_of(PUBLISHED),
        source=code_of("weckd.cli.analysis:_specification"),
    shell:
        "weckd specification --suite {input.suite:q} --predictions {params.run:q}/predictions"
        " --across {input.across:q} --published {params.published:q} --out {params.run:q} 2> {log:q}"


if OFFICIAL:

    rule leak_study:
        """The suite's methods on official test parts, beside its own grouped ones."""
        input:
            official=f"{run_folder(OFFICIAL)}/suite.json",
            grouped=f"{RUN}/suite.json",
            predictions=prediction_files(OFFICIAL),
            splits=run_files("splits/{dataset}/seed{seed}.csv", OFFICIAL),
            beside=expand(
                f"{RUN}/predictions/{{dataset}}/seed{{seed}}.{{kind}}",
                dataset=OFFICIAL.datasets,
                seed=OFFICIAL.seeds,
                kind=PREDICTED,
            ),
            across=ACROSS,
        output:
            expand(
                f"{run_folder(OFFICIAL)}/tables/{{table}}.{{kind}}",
                table=["leakage", "splits"],
                kind=["csv", "md", "tex"],
            ),
            f"{run_folder(OFFICIAL)}/figures/leakage.png",
            report(
                f"{run_folder(OFFICIAL)}/figures/leakage.svg",
                category="Figures",
                caption="../report/figure.rst",
                labels={"figure": "leakage"},
            ),
        log:
            f"{run_folder(OFFICIAL)}/logs/leak_study.log",
        params:
            official=subpath(input.official, parent=True),
            grouped=subpath(input.grouped, parent=True),
            source=code_of("weckd.cli.analysis:_leakage"),
        shell:
            "weckd leakage --official {params.official:q} --grouped {params.grouped:q} --out {params.official:q}"
            " 2> {log:q}"
