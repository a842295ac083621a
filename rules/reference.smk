# From a frozen reference to the records of a run, in a folder of its own: nothing is fetched or trained.


def run_suite(output):
    """Return the suite of the run that a rule lays out, under the plan of the suite files."""
    return RUNS[RunFiles(Path(output.suite).parent)]


def frozen_folder(wildcards, output):
    """Return the folder of the reference that a rule lays out; its path is not watched."""
    return str(REFERENCES[run_suite(output).run])


rule unfreeze:
    output:
        suite=RUN.suite,
        drawn_from=RUN.drawn_from,
        records=[
            *PREDICTIONS,
            *SPLITS,
            *MANIFESTS,
            *ATTENTION,
            *AUDIT,
        ],
    log:
        RUN.log("unfreeze"),
    params:
        text=lambda wildcards, output: suite_text(run_suite(output)),
        reference=frozen_folder,
        content=content_of(*(f"{f}/reference.json" for f in REFERENCES.values())),
        run=subpath(output.suite, parent=True),
        again=sum(map(len, CHANGED.times.values())),
        source=code_of("weckd.cli.finished:_unfreeze"),
    shell:
        "printf %s {params.text:q} | base64 -d 2> {log:q} | gzip -d 2>> {log:q} |"
        " weckd unfreeze {params.reference:q} --out {params.run:q} --suite /dev/stdin 2>> {log:q}"


if OFFICIAL:

    use rule unfreeze as unfreeze_official with:
        output:
            suite=run_of(OFFICIAL).suite,
            drawn_from=run_of(OFFICIAL).drawn_from,
            records=[
                *run_of(OFFICIAL).every_prediction(OFFICIAL),
                *run_of(OFFICIAL).every_split(OFFICIAL),
                *run_of(OFFICIAL).every_manifest(OFFICIAL),
            ],
        log:
            run_of(OFFICIAL).log("unfreeze"),


if READINGS:

    use rule unfreeze as unfreeze_readings with:
        output:
            suite=run_of(READINGS).suite,
            drawn_from=run_of(READINGS).drawn_from,
            records=[
                *run_of(READINGS).every_prediction(READINGS),
                *run_of(READINGS).every_split(READINGS),
                *run_of(READINGS).every_manifest(READINGS),
            ],
        log:
            run_of(READINGS).log("unfreeze"),
