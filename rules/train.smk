# From splits to stored fits, one predictions file a cell and one file of attention maps a data set; and the search for
# each method's settings.


rule tune_method:
    """Search for one method's settings on one data set. Finished trials go to a folder that no rule declares."""
    input:
        suite=f"{RUN}/suite.json",
        images=rules.prepare.output.images,
        index=rules.prepare.output.index,
        facts=rules.prepare.output.facts,
        splits=rules.tuning_split.output,
        weights=weights_files(SUITE),
    output:
        f"{RUN}/tuned/{{dataset}}/{{method}}.json",
    log:
        f"{RUN}/logs/tune/{{dataset}}/{{method}}.log",
    threads: 1
    resources:
        mem_mb=4000,
        jobs_per_gpu=1,
    params:
        prepared=subpath(input.images, parent=True),
        splits=tuning_splits_folder,
        weights=WEIGHTS,
        studies=STUDIES,
        source=code_of("weckd.cli.training:_tune"),
    shell:
        "exec weckd tune --suite {input.suite:q} --dataset {wildcards.dataset:q} --method {wildcards.method:q}"
        " --prepared {params.prepared:q} --splits {params.splits:q} --weights {params.weights:q}"
        " --studies {params.studies:q} --jobs-per-gpu {resources.jobs_per_gpu} --out {output:q}"
        " 2> >(trap '' TERM INT; exec tee {log:q} >&2)"


rule train:
    """Train one data set for a batch of seeds. The fits go to the store, which no rule declares."""
    input:
        suite=rules.suite.output,
        images=rules.prepare.output.images,
        index=rules.prepare.output.index,
        facts=rules.prepare.output.facts,
        splits=batch_splits,
        weights=batch_weights,
        tuned=batch_tuned,
    output:
        f"{ANY_RUN}/manifests/{{dataset}}/{{batch}}.json",
    log:
        f"{ANY_RUN}/logs/train/{{dataset}}/{{batch}}.log",
    threads: 1
    resources:
        mem_mb=4000,
        jobs_per_gpu=1,
        checkpoint_s=60,
    params:
        seeds=batch_seeds,
        prepared=subpath(input.images, parent=True),
        splits=splits_folder,
        weights=WEIGHTS,
        tuned=tuned_folder,
        store=STORE,
        source=code_of("weckd.cli.training:_train"),
    # exec: the job itself, not a shell around it, is what the engine starts, so that it ends when the engine does.
    # trap: whoever ends a job signals all its processes; tee must live on to take the job's last words, since a job
    # that cannot print them would end without its checkpoint, and as if it had succeeded.
    shell:
        "exec weckd train --suite {input.suite:q} --dataset {wildcards.dataset:q} --seeds {params.seeds}"
        " --prepared {params.prepared:q} --splits {params.splits:q} --weights {params.weights:q}"
        " --tuned {params.tuned:q} --store {params.store:q} --manifest {output:q}"
        " --checkpoint-seconds {resources.checkpoint_s} --jobs-per-gpu {resources.jobs_per_gpu}"
        " 2> >(trap '' TERM INT; exec tee {log:q} >&2)"


rule gather:
    input:
        manifest=batch_manifest,
        split=f"{ANY_RUN}/splits/{{dataset}}/seed{{seed}}.csv",
    output:
        predictions=f"{ANY_RUN}/predictions/{{dataset}}/seed{{seed}}.parquet",
        sums=f"{ANY_RUN}/predictions/{{dataset}}/seed{{seed}}.sums.json",
    log:
        f"{ANY_RUN}/logs/gather/{{dataset}}/seed{{seed}}.log",
    params:
        store=STORE,
        again=made_again(f"{ANY_RUN}/predictions/{{dataset}}/seed{{seed}}.sums.json"),
        source=code_of("weckd.cli.training:_gather"),
    shell:
        "weckd gather --seed {wildcards.seed} --manifest {input.manifest:q} --split {input.split:q}"
        " --store {params.store:q} --out {output.predictions:q} 2> {log:q}"


rule attention:
    """What the attention maps of the chain's models say of the test images, over all seeds of a data set."""
    input:
        suite=f"{RUN}/suite.json",
        images=rules.prepare.output.images,
        index=rules.prepare.output.index,
        facts=rules.prepare.output.facts,
        splits=expand(
            f"{RUN}/splits/{{{{dataset}}}}/seed{{seed}}.csv", seed=SUITE.seeds
        ),
        sums=f"{RUN}/splits/{{dataset}}/sums.json",
        manifests=expand(
            f"{RUN}/manifests/{{{{dataset}}}}/{{batch}}.json", batch=SEEDS_OF_BATCH
        ),
    output:
        maps=f"{RUN}/attention/{{dataset}}.npz",
        sums=f"{RUN}/attention/{{dataset}}.sums.json",
    log:
        f"{RUN}/logs/attention/{{dataset}}.log",
    threads: 1
    resources:
        mem_mb=4000,
        jobs_per_gpu=1,
    params:
        prepared=subpath(input.images, parent=True),
        splits=own_splits_folder,
        store=STORE,
        again=made_again(f"{RUN}/attention/{{dataset}}.sums.json"),
        source=code_of("weckd.cli.training:_attention"),
    shell:
        "exec weckd attention --suite {input.suite:q} --dataset {wildcards.dataset:q}"
        " --prepared {params.prepared:q} --splits {params.splits:q} --store {params.store:q}"
        " --manifests {input.manifests:q} --jobs-per-gpu {resources.jobs_per_gpu}"
        " --out {output.maps:q} 2> >(trap '' TERM INT; exec tee {log:q} >&2)"
