# From a frozen reference to the records of a run, in a folder of its own: nothing is fetched or trained.


rule unfreeze:
    input:
        reference=f"{REFERENCE}/reference.json",
    output:
        suite=f"{RUN}/suite.json",
        records=[
            *run_files("predictions/{dataset}/seed{seed}.parquet", SUITE),
            *run_files("splits/{dataset}/seed{seed}.csv", SUITE),
            *run_files("manifests/{dataset}/{batch}.json", SUITE),
            *attention_files(SUITE),
            *AUDIT,
        ],
    log:
        f"{RUN}/logs/unfreeze.log",
    params:
        reference=subpath(input.reference, parent=True),
        run=subpath(output.suite, parent=True),
        source=code_of("weckd.cli.agreement:_unfreeze"),
    shell:
        "weckd unfreeze {params.reference:q} --out {params.run:q} 2> {log:q}"


if OFFICIAL:

    use rule unfreeze as unfreeze_official with:
        input:
            reference=f"{OFFICIAL_REFERENCE}/reference.json",
        output:
            suite=f"{run_folder(OFFICIAL)}/suite.json",
            records=[
                *run_files("predictions/{dataset}/seed{seed}.parquet", OFFICIAL),
                *run_files("splits/{dataset}/seed{seed}.csv", OFFICIAL),
                *run_files("manifests/{dataset}/{batch}.json", OFFICIAL),
            ],
        log:
            f"{run_folder(OFFICIAL)}/logs/unfreeze.log",
