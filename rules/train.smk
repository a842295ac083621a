# From splits to stored fits, one predictions file a cell and one file of attention maps a data set; and the search for
# each method's settings. Its fits' predictions and maps are gathered by the job that trained them: it has the images
# and networks in memory, and has imported what that takes.

IMAGES = {name: rules.prepare.output[name] for name in ("images", "index", "facts")}
GATHERED = ANY.gathered("{dataset}", "{batch}")


rule tune_method:
    """Search for one method's settings on one data set. Finished trials go to a folder that no rule declares."""
    input:
        **IMAGES,
        suite=ancient(RUN.suite),
        splits=rules.tuning_split.output,
        weights=WEIGHTS[SUITE.run],
    output:
        RUN.tuned("{dataset}", "{method}"),
    log:
        RUN.log("tune/{dataset}/{method}"),
    threads: 1
    resources:
        mem_mb=4000,
        jobs_per_gpu=1,
    params:
        run=subpath(input.suite, parent=True),
        settings=settings,
        source=code_of("weckd.cli.training:_tune"),
    shell:
        "exec weckd tune --run {params.run:q} --dataset {wildcards.dataset:q} --method {wildcards.method:q}"
        " --jobs-per-gpu {resources.jobs_per_gpu}"
        " 2> >(trap '' TERM INT; exec tee {log:q} >&2)"


rule train:
    """Train one data set for a batch of seeds. The fits go to the store, which no rule declares."""
    input:
        **IMAGES,
        suite=ancient(ANY.suite),
        splits=lambda wildcards: [
            run_of(SUITES[wildcards.run]).split(wildcards.dataset, seed)
            for seed in SEEDS_OF_BATCH[wildcards.batch]
        ],
        sums=ANY.splits("{dataset}") / "sums.json",
        weights=lambda wildcards: WEIGHTS[wildcards.run],
        tuned=lambda wildcards: (
            tuned_files(SUITES[wildcards.run], wildcards.dataset)
            if SUITES[wildcards.run].tuned
            else []
        ),
    output:
        manifest=ANY.manifest("{dataset}", "{batch}"),
        gathered=GATHERED,
        sums=sums_of(GATHERED),
    log:
        ANY.log("train/{dataset}/{batch}"),
    threads: 1
    resources:
        mem_mb=4000,
        jobs_per_gpu=1,
        checkpoint_s=60,
    params:
        run=subpath(input.suite, parent=True),
        settings=settings,
        seeds=lambda wildcards: SEEDS_OF_BATCH[wildcards.batch],
        again=made_again(sums_of(GATHERED)),
        source=code_of("weckd.cli.training:_train"),
    # exec: the engine starts the job itself, not a shell around it, so that the job ends when the engine does.
    # trap: ending a job signals all its processes; tee must survive to take the job's last output, since a job
    # that cannot print it would end without its checkpoint, and as if it had succeeded.
    shell:
        "exec weckd train --run {params.run:q} --dataset {wildcards.dataset:q} --seeds {params.seeds}"
        " --checkpoint-seconds {resources.checkpoint_s} --jobs-per-gpu {resources.jobs_per_gpu}"
        " 2> >(trap '' TERM INT; exec tee {log:q} >&2)"


rule gather:
    """Take one cell's predictions out of what its training job packed."""
    input:
        gathered=of_batch(GATHERED),
        sums=of_batch(sums_of(GATHERED)),
    output:
        predictions=ANY.prediction("{dataset}", "{seed}"),
        sums=sums_of(ANY.prediction("{dataset}", "{seed}")),
    log:
        ANY.log("gather/{dataset}/seed{seed}"),
    params:
        folder=subpath(output.predictions, parent=True),
        again=made_again(sums_of(ANY.prediction("{dataset}", "{seed}"))),
    # -m: as new as it is; the archive holds no times, so that its bytes tell what is in it and nothing else.
    shell:
        "tar -xmf {input.gathered:q} -C {params.folder:q} seed{wildcards.seed}.parquet seed{wildcards.seed}.sums.json"
        " 2> {log:q}"


rule attention:
    """Join what the training jobs of a data set packed of its attention maps."""
    input:
        suite=ancient(RUN.suite),
        gathered=[RUN.gathered("{dataset}", batch) for batch in batches(SUITE)],
        sums=[sums_of(RUN.gathered("{dataset}", batch)) for batch in batches(SUITE)],
    output:
        maps=RUN.attention("{dataset}"),
        sums=sums_of(RUN.attention("{dataset}")),
    log:
        RUN.log("attention/{dataset}"),
    params:
        run=subpath(input.suite, parent=True),
        again=made_again(sums_of(RUN.attention("{dataset}"))),
        source=code_of("weckd.cli.training:_attention"),
    shell:
        "weckd attention --run {params.run:q} --dataset {wildcards.dataset:q} 2> {log:q}"
