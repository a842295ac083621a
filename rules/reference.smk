# From a frozen reference to the records of a run, in a folder of its own: nothing is fetched or trained.


def frozen_folder(wildcards, output):
    """Return the folder of the reference that a rule lays out; where it lies is not watched."""
    return str(REFERENCES[RUNS[RunFiles(Path(output.suite).parent)].run])


rule unfreeze:
    output:
        suite=RUN.suite,
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
        reference=frozen_folder,
        content=content_of(*(f"{f}/reference.json" for f in REFERENCES.values())),
        run=subpath(output.suite, parent=True),
        again=sum(map(len, CHANGED.times.values())),
        source=code_of("weckd.cli.finished:_unfreeze"),
    shell:
        "weckd unfreeze {params.reference:q} --out {params.run:q} 2> {log:q}"


if OFFICIAL:

    use rule unfreeze as unfreeze_official with:
        output:
            suite=run_of(OFFICIAL).suite,
            records=[
                *run_of(OFFICIAL).every_prediction(OFFICIAL),
                *run_of(OFFICIAL).every_split(OFFICIAL),
                *run_of(OFFICIAL).every_manifest(OFFICIAL),
            ],
        log:
            run_of(OFFICIAL).log("unfreeze"),
