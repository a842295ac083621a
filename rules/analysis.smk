# From predictions alone to tables and figures.

PREDICTIONS = expand(
    f"{RUN}/predictions/{{dataset}}/seed{{seed}}.parquet",
    dataset=SUITE.datasets,
    seed=SUITE.seeds,
)


rule tables:
    input:
        suite=rules.suite.output[0],
        predictions=PREDICTIONS,
        splits=expand(
            f"{RUN}/splits/{{dataset}}/seed{{seed}}.csv",
            dataset=SUITE.datasets,
            seed=SUITE.seeds,
        ),
        manifests=expand(
            f"{RUN}/manifests/{{dataset}}/{{batch}}.json",
            dataset=SUITE.datasets,
            batch=SEEDS_OF_BATCH,
        ),
    output:
        expand(
            f"{RUN}/tables/{{table}}.{{kind}}", table=TABLES, kind=["csv", "md", "tex"]
        ),
    log:
        f"{RUN}/logs/tables.log",
    params:
        run=subpath(input.suite, parent=True),
        source=source_digest(["analysis/*.py", "config.py"]),
    shell:
        "weckd tables --suite {input.suite:q} --predictions {params.run:q}/predictions"
        " --splits {params.run:q}/splits --manifests {params.run:q}/manifests --out {params.run:q}/tables 2> {log:q}"


rule figures:
    input:
        suite=rules.suite.output[0],
        predictions=PREDICTIONS,
    output:
        report(
            expand(
                f"{RUN}/figures/{{figure}}.{{kind}}",
                figure=FIGURES,
                kind=["svg", "png"],
            ),
            category="Figures",
        ),
    log:
        f"{RUN}/logs/figures.log",
    params:
        run=subpath(input.suite, parent=True),
        source=source_digest(["analysis/*.py", "config.py"]),
    shell:
        "weckd figures --suite {input.suite:q} --predictions {params.run:q}/predictions"
        " --out {params.run:q}/figures 2> {log:q}"
