# From images to groups and splits.


rule suite:
    output:
        f"{ANY_RUN}/suite.json",
    log:
        f"{ANY_RUN}/logs/suite.log",
    params:
        files=suite_files,
        changes=changes_option,
        kind=kind_option,
        content=suite_content,
        again=made_again(f"{ANY_RUN}/suite.json"),
        source=code_of("weckd.cli.data:_suite"),
    shell:
        "weckd suite {params.files:q} {params.changes:q} {params.kind} --out {output:q} 2> {log:q}"


rule fetch:
    """Find or download a real data set. Only this rule and the next touch the network; their downloads are undeclared."""
    output:
        f"{DOWNLOADS}/{{dataset}}/source-{SUITE.image_size}px.json",
    log:
        f"{RUN}/logs/fetch/{{dataset}}.log",
    params:
        size=SUITE.image_size,
        root=data_root_option,
        catalogue=catalogue_option,
        downloads=subpath(output[0], ancestor=2),
        recorded=beside_workflow("datasets.lock"),
        entry=entry_content,
        source=code_of("weckd.cli.data:_fetch"),
    shell:
        "weckd fetch --dataset {wildcards.dataset:q} {params.catalogue:q} --image-size {params.size} {params.root:q}"
        " --downloads {params.downloads:q} --lock {params.recorded:q} --out {output:q} 2> >(tee {log:q} >&2)"


rule weights:
    """Find or download timm's pretrained weights."""
    output:
        f"{DOWNLOADS}/weights/{{weights}}.json",
    log:
        f"{RUN}/logs/weights/{{weights}}.log",
    params:
        root=data_root_option,
        downloads=subpath(output[0], ancestor=2),
        recorded=beside_workflow("weights.lock"),
        source=code_of("weckd.cli.data:_weights"),
    shell:
        "weckd weights {wildcards.weights:q} {params.root:q} --downloads {params.downloads:q}"
        " --lock {params.recorded:q} --out {output:q} 2> >(tee {log:q} >&2)"


rule prepare:
    input:
        source_file,
    output:
        images=f"{PREPARED}/images.npy",
        thumbnails=f"{PREPARED}/thumbnails.npy",
        index=f"{PREPARED}/index.csv",
        facts=f"{PREPARED}/dataset.json",
        seen=f"{PREPARED}/seen.json",
    log:
        f"{PREPARED}/prepare.log",
    # A job of several threads waits for as many free cores: before, not amid, the training jobs of one.
    priority: 1
    threads: prepare_threads
    params:
        size=SUITE.image_size,
        catalogue=catalogue_option,
        entry=entry_content,
        where=source_option,
        skip="--skip-bad" if SUITE.skip_bad else "",
        folder=subpath(output.images, parent=True),
        again=made_again(f"{PREPARED}/seen.json"),
        source=code_of("weckd.cli.data:_prepare"),
    shell:
        "weckd prepare --dataset {wildcards.dataset:q} {params.catalogue:q} --image-size {params.size} {params.where:q}"
        " {params.skip} --jobs {threads} --out {params.folder:q} 2> >(tee {log:q} >&2)"


rule group:
    input:
        thumbnails=rules.prepare.output.thumbnails,
        index=rules.prepare.output.index,
        facts=rules.prepare.output.facts,
    output:
        groups=f"{ANY_RUN}/groups/{{dataset}}/groups.csv",
        pairs=f"{ANY_RUN}/groups/{{dataset}}/pairs.csv",
        clusters=f"{ANY_RUN}/groups/{{dataset}}/clusters.csv",
        sums=f"{ANY_RUN}/groups/{{dataset}}/sums.json",
    log:
        f"{ANY_RUN}/logs/group/{{dataset}}.log",
    params:
        prepared=subpath(input.index, parent=True),
        folder=subpath(output.groups, parent=True),
        threshold=SUITE.groups_threshold,
        # Of the images too: where these are gone, nothing else would ask for them.
        again=made_again(
            f"{ANY_RUN}/groups/{{dataset}}/sums.json", f"{PREPARED}/seen.json"
        ),
        source=code_of("weckd.cli.data:_group"),
    shell:
        "weckd group --dataset {wildcards.dataset:q} --prepared {params.prepared:q}"
        " --threshold {params.threshold} --out {params.folder:q} 2> {log:q}"


rule audit:
    input:
        prepared=expand(
            f"{PREPARED}/{{file}}",
            dataset=SUITE.datasets,
            file=["dataset.json", "index.csv", "images.npy", "thumbnails.npy"],
        ),
        groups=expand(
            f"{RUN}/groups/{{dataset}}/{{file}}.csv",
            dataset=SUITE.datasets,
            file=["groups", "pairs", "clusters"],
        ),
        sums=expand(f"{RUN}/groups/{{dataset}}/sums.json", dataset=SUITE.datasets),
    output:
        AUDIT,
        [
            report(
                f"{RUN}/audit/{dataset}.png",
                category="Audit",
                caption="../report/audit.rst",
                labels={"data set": dataset},
            )
            for dataset in SUITE.datasets
        ],
    log:
        f"{RUN}/logs/audit.log",
    params:
        prepared=expand(PREPARED, dataset=SUITE.datasets),
        groups=expand(f"{RUN}/groups/{{dataset}}", dataset=SUITE.datasets),
        threshold=SUITE.groups_threshold,
        recorded=beside_workflow("datasets.lock"),
        known=content_of("datasets.lock"),
        folder=subpath(output[0], parent=True),
        source=code_of("weckd.cli.data:_audit"),
    shell:
        "weckd audit --prepared {params.prepared:q} --groups {params.groups:q} --threshold {params.threshold}"
        " --lock {params.recorded:q} --out {params.folder:q} > {log:q} 2>&1"


rule split:
    input:
        suite=rules.suite.output,
        index=rules.prepare.output.index,
        groups=rules.group.output.groups,
        sums=rules.group.output.sums,
    output:
        expand(
            f"{ANY_RUN}/splits/{{dataset}}/seed{{seed}}.csv",
            seed=SUITE.seeds,
            allow_missing=True,
        ),
        sums=f"{ANY_RUN}/splits/{{dataset}}/sums.json",
    log:
        f"{ANY_RUN}/logs/split/{{dataset}}.log",
    params:
        prepared=subpath(input.index, parent=True),
        folder=subpath(output[0], parent=True),
        again=made_again(f"{ANY_RUN}/splits/{{dataset}}/sums.json"),
        source=code_of("weckd.cli.data:_split"),
    shell:
        "weckd split --suite {input.suite:q} --dataset {wildcards.dataset:q} --prepared {params.prepared:q}"
        " --groups {input.groups:q} --out {params.folder:q} 2> >(tee {log:q} >&2)"


rule tuning_split:
    """Split for the seeds that settings are chosen on, which no table is made with."""
    input:
        suite=f"{RUN}/suite.json",
        index=rules.prepare.output.index,
        groups=f"{RUN}/groups/{{dataset}}/groups.csv",
        sums=f"{RUN}/groups/{{dataset}}/sums.json",
    output:
        expand(
            f"{RUN}/tuned/splits/{{dataset}}/seed{{seed}}.csv",
            seed=SUITE.tuning.seeds,
            allow_missing=True,
        ),
        sums=f"{RUN}/tuned/splits/{{dataset}}/sums.json",
    log:
        f"{RUN}/logs/tuning_split/{{dataset}}.log",
    params:
        prepared=subpath(input.index, parent=True),
        folder=subpath(output[0], parent=True),
        again=made_again(f"{RUN}/tuned/splits/{{dataset}}/sums.json"),
        source=code_of("weckd.cli.data:_split"),
    shell:
        "weckd split --suite {input.suite:q} --dataset {wildcards.dataset:q} --prepared {params.prepared:q}"
        " --groups {input.groups:q} --tuning --out {params.folder:q} 2> >(tee {log:q} >&2)"
