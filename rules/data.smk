# From images to groups and splits.


rule suite:
    output:
        f"{RUN}/suite.json",
    log:
        f"{RUN}/logs/suite.log",
    params:
        files=[str(file) for file in SUITE_FILES],
        changes=changes_option(),
        content=SUITE.plan_hash,
        source=source_digest(
            ["config.py", "suite_file.py", "suite_schema.yaml", "data/catalogue.*"]
        ),
    shell:
        "weckd suite {params.files:q} {params.changes:q} --out {output:q} 2> {log:q}"


rule prepare:
    output:
        images=f"{PREPARED}/images.npy",
        thumbnails=f"{PREPARED}/thumbnails.npy",
        index=f"{PREPARED}/index.csv",
        facts=f"{PREPARED}/dataset.json",
    log:
        f"{PREPARED}/prepare.log",
    params:
        size=SUITE.image_size,
        root=data_root_option,
        folder=subpath(output.images, parent=True),
        source=source_digest(
            [
                "data/catalogue.*",
                "data/decode.py",
                "data/prepare.py",
                "data/phantoms/*.py",
            ]
        ),
    shell:
        "weckd prepare --dataset {wildcards.dataset:q} --image-size {params.size} {params.root:q}"
        " --out {params.folder:q} 2> >(tee {log:q} >&2)"


rule group:
    input:
        thumbnails=rules.prepare.output.thumbnails,
        index=rules.prepare.output.index,
    output:
        f"{RUN}/groups/{{dataset}}.csv",
    log:
        f"{RUN}/logs/group/{{dataset}}.log",
    params:
        prepared=subpath(input.index, parent=True),
        threshold=SUITE.groups_threshold,
        source=source_digest(["data/groups.py"]),
    shell:
        "weckd group --dataset {wildcards.dataset:q} --prepared {params.prepared:q}"
        " --threshold {params.threshold} --out {output:q} 2> {log:q}"


rule split:
    input:
        suite=rules.suite.output,
        index=rules.prepare.output.index,
        groups=rules.group.output,
    output:
        expand(
            f"{RUN}/splits/{{dataset}}/seed{{seed}}.csv",
            seed=SUITE.seeds,
            allow_missing=True,
        ),
    log:
        f"{RUN}/logs/split/{{dataset}}.log",
    params:
        prepared=subpath(input.index, parent=True),
        folder=subpath(output[0], parent=True),
        source=source_digest(["data/splits.py", "seeds.py"]),
    shell:
        "weckd split --suite {input.suite:q} --dataset {wildcards.dataset:q} --prepared {params.prepared:q}"
        " --groups {input.groups:q} --out {params.folder:q} 2> {log:q}"
