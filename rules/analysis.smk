# From predictions alone to tables and figures.

# Predictions made elsewhere, which `weckd import-predictions` puts there.
IMPORTED = sorted(map(str, RUN.imported.glob("*.parquet")))
PUBLISHED = "config/published.yaml"


rule tables:
    input:
        suite=RUN.suite,
        predictions=PREDICTIONS,
        imported=IMPORTED,
        attention=ATTENTION,
        across=RUN.across,
        splits=SPLITS,
        manifests=MANIFESTS,
    output:
        expand(RUN.tables / "{table}.{kind}", table=TABLES, kind=KINDS[1:]),
        RUN.tables / "answers.csv",
        [shown(RUN.tables / f"{t}.csv", "Tables", "table", table=t) for t in TABLES],
        sums=RUN.tables / "sums.json",
    log:
        RUN.log("tables"),
    params:
        again=made_again(RUN.tables / "sums.json"),
        run=subpath(input.suite, parent=True),
        tables=subpath(output.sums, parent=True),
        layout=beside_workflow("config/tables.yaml"),
        published=beside_workflow(PUBLISHED),
        content=content_of("config/tables.yaml", PUBLISHED),
        source=code_of("weckd.cli.analysis:_tables"),
    shell:
        "weckd tables --run {params.run:q} --out {params.tables:q} --layout {params.layout:q}"
        " --published {params.published:q} 2> {log:q}"


rule figures:
    input:
        **rules.tables.input,
    output:
        expand(RUN.figures / "{figure}.png", figure=FIGURES),
        figures_shown(expand(RUN.figures / "{figure}.svg", figure=FIGURES)),
        sums=RUN.figures / "sums.json",
    log:
        RUN.log("figures"),
    params:
        again=made_again(RUN.figures / "sums.json"),
        run=subpath(input.suite, parent=True),
        source=code_of("weckd.cli.analysis:_figures"),
    shell:
        "weckd figures --run {params.run:q} 2> {log:q}"


if READINGS:

    rule specification:
        """The readings of the paper, sorted by what they gain: a table and a specification curve."""
        input:
            suite=run_of(READINGS).suite,
            predictions=run_of(READINGS).every_prediction(READINGS),
            across=RUN.across,
        output:
            figures_shown(outputs(READINGS, ["readings"], ["specification"])),
        log:
            run_of(READINGS).log("specification"),
        params:
            run=subpath(input.suite, parent=True),
            published=beside_workflow(PUBLISHED),
            content=content_of(PUBLISHED),
            source=code_of("weckd.cli.analysis:_specification"),
        shell:
            "weckd specification --run {params.run:q} --across {input.across:q} --published {params.published:q} 2> {log:q}"


if OFFICIAL:

    rule leak_study:
        """Compare the suite's methods on official test parts with its own grouped ones."""
        input:
            official=run_of(OFFICIAL).suite,
            grouped=RUN.suite,
            predictions=run_of(OFFICIAL).every_prediction(OFFICIAL),
            splits=run_of(OFFICIAL).every_split(OFFICIAL),
            beside=RUN.every_prediction(OFFICIAL),
            across=RUN.across,
        output:
            figures_shown(outputs(OFFICIAL, ["leakage", "splits"], ["leakage"])),
        log:
            run_of(OFFICIAL).log("leak_study"),
        params:
            official=subpath(input.official, parent=True),
            grouped=subpath(input.grouped, parent=True),
            source=code_of("weckd.cli.analysis:_leakage"),
        shell:
            "weckd leakage --run {params.official:q} --grouped {params.grouped:q} 2> {log:q}"
