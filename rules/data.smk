# From images to groups and splits.


rule suite:
    """Write the settings that this workflow has read, as they are."""
    output:
        ANY.suite,
    log:
        ANY.log("suite"),
    params:
        text=lambda wildcards, output: suite_text(SUITES[wildcards.run]),
        # Of all its keys but paths, so that an edited suite file is noticed.
        content=lambda wildcards: digest(
            suite_json(replace(SUITES[wildcards.run], data_root=None, catalogue=None))
        ),
        again=made_again(ANY.suite),
    shell:
        "printf %s {params.text:q} | base64 -d 2> {log:q} | gzip -d > {output:q} 2>> {log:q}"


rule fetch:
    """Find or download a real data set. Only this rule and the next touch the network; their downloads are undeclared."""
    output:
        RUN.source(SUITE, "{dataset}"),
    log:
        RUN.log("fetch/{dataset}"),
    params:
        size=SUITE.image_size,
        root=DATA_ROOT,
        catalogue=CATALOGUE,
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
        RUN.weights / "{weights}.json",
    log:
        RUN.log("weights/{weights}"),
    params:
        root=DATA_ROOT,
        downloads=subpath(output[0], ancestor=2),
        recorded=beside_workflow("weights.lock"),
        source=code_of("weckd.cli.data:_weights"),
    shell:
        "weckd weights {wildcards.weights:q} {params.root:q} --downloads {params.downloads:q}"
        " --lock {params.recorded:q} --out {output:q} 2> >(tee {log:q} >&2)"


rule prepare:
    input:
        # Phantoms are drawn, by one thread.
        lambda wildcards: (
            []
            if SUITE.facts[wildcards.dataset].phantom
            else RUN.source(SUITE, wildcards.dataset)
        ),
    output:
        images=PREPARED / "images.npy",
        thumbnails=PREPARED / "thumbnails.npy",
        index=PREPARED / "index.csv",
        facts=PREPARED / "dataset.json",
        seen=PREPARED / "seen.json",
    log:
        PREPARED / "prepare.log",
    # A job of several threads waits for as many free cores: it runs before the training jobs of one thread, not among them.
    priority: 1
    threads: lambda wildcards, input: 4 if input else 1
    params:
        size=SUITE.image_size,
        catalogue=CATALOGUE,
        entry=entry_content,
        where=lambda wildcards, input: ["--source", *input] if input else [],
        skip="--skip-bad" if SUITE.skip_bad else "",
        folder=subpath(output.images, parent=True),
        again=made_again(PREPARED / "seen.json"),
        source=code_of("weckd.cli.data:_prepare"),
    shell:
        "weckd prepare --dataset {wildcards.dataset:q} {params.catalogue:q} --image-size {params.size} {params.where:q}"
        " {params.skip} --jobs {threads} --out {params.folder:q} 2> >(tee {log:q} >&2)"


rule group:
    input:
        images=rules.prepare.output.images,
        thumbnails=rules.prepare.output.thumbnails,
        index=rules.prepare.output.index,
        facts=rules.prepare.output.facts,
    output:
        groups=ANY.groups("{dataset}") / "groups.csv",
        pairs=ANY.groups("{dataset}") / "pairs.csv",
        clusters=ANY.groups("{dataset}") / "clusters.csv",
        sums=ANY.groups("{dataset}") / "sums.json",
    log:
        ANY.log("group/{dataset}"),
    params:
        prepared=subpath(input.index, parent=True),
        folder=subpath(output.groups, parent=True),
        threshold=SUITE.groups_threshold,
        join=join_option,
        # Of the images too: if they are gone, nothing else would ask for them.
        again=made_again(ANY.groups("{dataset}") / "sums.json", PREPARED / "seen.json"),
        source=code_of("weckd.cli.data:_group"),
    shell:
        "weckd group --dataset {wildcards.dataset:q} --prepared {params.prepared:q}"
        " --threshold {params.threshold} {params.join} --out {params.folder:q} 2> {log:q}"


rule audit:
    input:
        prepared=expand(
            PREPARED / "{file}",
            dataset=SUITE.datasets,
            file=["dataset.json", "index.csv", "images.npy", "thumbnails.npy"],
        ),
        groups=expand(
            RUN.groups("{dataset}") / "{file}",
            dataset=SUITE.datasets,
            file=["groups.csv", "pairs.csv", "clusters.csv", "sums.json"],
        ),
    output:
        AUDIT,
        [
            shown(RUN.audit / f"{d}.png", "Audit", "audit", **{"data set": d})
            for d in SUITE.datasets
        ],
        sums=RUN.audit / "sums.json",
    log:
        RUN.log("audit"),
    params:
        again=made_again(RUN.audit / "sums.json"),
        prepared=expand(PREPARED, dataset=SUITE.datasets),
        groups=[str(RUN.groups(dataset)) for dataset in SUITE.datasets],
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
        suite=ancient(ANY.suite),
        index=rules.prepare.output.index,
        facts=rules.prepare.output.facts,
        groups=rules.group.output.groups,
        sums=rules.group.output.sums,
    output:
        [ANY.split("{dataset}", seed) for seed in SUITE.seeds],
        sums=ANY.splits("{dataset}") / "sums.json",
    log:
        ANY.log("split/{dataset}"),
    wildcard_constraints:
        run="|".join(
            re.escape(run)
            for run, suite in SUITES.items()
            if suite.seeds == SUITE.seeds
        ),
    params:
        run=subpath(input.suite, parent=True),
        settings=settings,
        again=made_again(ANY.splits("{dataset}") / "sums.json"),
        source=code_of("weckd.cli.data:_split"),
    shell:
        "weckd split --run {params.run:q} --dataset {wildcards.dataset:q} 2> >(tee {log:q} >&2)"


if READINGS and READINGS.seeds != SUITE.seeds:

    use rule split as split_readings with:
        output:
            [ANY.split("{dataset}", seed) for seed in READINGS.seeds],
            sums=ANY.splits("{dataset}") / "sums.json",
        wildcard_constraints:
            run=re.escape(READINGS.run),


rule tuning_split:
    """Split for the seeds that settings are chosen on, which no table is made with."""
    input:
        suite=ancient(RUN.suite),
        index=rules.prepare.output.index,
        facts=rules.prepare.output.facts,
        groups=RUN.groups("{dataset}") / "groups.csv",
        sums=RUN.groups("{dataset}") / "sums.json",
    output:
        [RUN.split("{dataset}", seed, tuning=True) for seed in SUITE.tuning.seeds],
        sums=RUN.splits("{dataset}", tuning=True) / "sums.json",
    log:
        RUN.log("tuning_split/{dataset}"),
    params:
        run=subpath(input.suite, parent=True),
        settings=settings,
        again=made_again(RUN.splits("{dataset}", tuning=True) / "sums.json"),
        source=code_of("weckd.cli.data:_split"),
    shell:
        "weckd split --run {params.run:q} --dataset {wildcards.dataset:q} --tuning 2> >(tee {log:q} >&2)"
