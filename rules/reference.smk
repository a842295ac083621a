# From a frozen reference to the records of a run, in a folder of its own: nothing is fetched or trained.


def frozen_folder(wildcards, output):
    """Return the folder of the reference that a rule lays out; where it lies is not watched."""
    official = OFFICIAL and output.suite.startswith(f"{run_folder(OFFICIAL)}/")
    return str(OFFICIAL_REFERENCE if official else REFERENCE)


rule unfreeze:
    output:
        suite=f"{RUN}/suite.json",
        records=[
            *prediction_files(SUITE),
            *run_files("splits/{dataset}/seed{seed}.csv", SUITE),
            *run_files("manifests/{dataset}/{batch}.json", SUITE),
            *attention_files(SUITE),
            *AUDIT,
        ],
    log:
        f"{RUN}/logs/unfreeze.log",
    params:
        reference=frozen_folder,
        content=content_of(
            f"{REFERENCE}/reference.json",
            *([f"{OFFICIAL_REFERENCE}/reference.json"] if OFFICIAL else []),
        ),
        run=subpath(output.suite, parent=True),
        again=sum(AGAIN.values()),
        source=code_of("weckd.cli.agreement:_unfreeze"),
    shell:
        "weckd unfreeze {params.reference:q} --out {params.run:q} 2> {log:q}"


if OFFICIAL:

    use rule unfreeze as unfreeze_official with:
        output:
            suite=f"{run_folder(OFFICIAL)}/suite.json",
            records=[
                *prediction_files(OFFICIAL),
                *run_files("splits/{dataset}/seed{seed}.csv", OFFICIAL),
                *run_files("manifests/{dataset}/{batch}.json", OFFICIAL),
            ],
        log:
            f"{run_folder(OFFICIAL)}/logs/unfreeze.log",
