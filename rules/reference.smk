# From a frozen reference to the records of a run, in a folder of its own: nothing is fetched or trained.


def frozen_folder(wildcards, output):
    """Return the folder of the reference that a rule lays out; where it lies is not watched."""
    official = OFFICIAL and output.suite == str(run_of(OFFICIAL).suite)
    return str(OFFICIAL_REFERENCE if official else REFERENCE)


rule unfreeze:
    output:
        suite=RUN.suite,
        records=[
            *prediction_files(SUITE),
            *split_files(SUITE),
            *manifest_files(SUITE),
            *attention_files(SUITE),
            *AUDIT,
        ],
    log:
        RUN.log("unfreeze"),
    params:
        reference=frozen_folder,
        content=content_of(
            f"{REFERENCE}/reference.json",
            *([f"{OFFICIAL_REFERENCE}/reference.json"] if OFFICIAL else []),
        ),
        run=subpath(output.suite, parent=True),
        again=sum(map(len, CHANGED.values())),
        source=code_of("weckd.cli.finished:_unfreeze"),
    shell:
        "weckd unfreeze {params.reference:q} --out {params.run:q} 2> {log:q}"


if OFFICIAL:

    use rule unfreeze as unfreeze_official with:
        output:
            suite=run_of(OFFICIAL).suite,
            records=[
                *prediction_files(OFFICIAL),
                *split_files(OFFICIAL),
                *manifest_files(OFFICIAL),
            ],
        log:
            run_of(OFFICIAL).log("unfreeze"),
