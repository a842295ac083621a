"""WeCKD reproducibility suite: data sets -> groups -> splits -> fits -> predictions -> tables and figures.

`snakemake --cores all` runs the demo suite; `--configfile config/real-small.yaml` another one;
`--config seeds='[1,2]' datasets='[phantom_ear_chile]' methods='[weckd,single]'` narrows a run.
"""

from snakemake.utils import min_version

min_version("9.10")


container: "docker://weckd:0.1.0"


if not workflow.configfiles:

    configfile: f"{workflow.basedir}/config/demo.yaml"


include: "rules/common.smk"


rule all:
    input:
        expand(
            f"{RUN}/manifests/{{dataset}}/{{batch}}.json",
            dataset=SUITE.datasets,
            batch=SEEDS_OF_BATCH,
        ),
        expand(
            f"{RUN}/predictions/{{dataset}}/seed{{seed}}.parquet",
            dataset=SUITE.datasets,
            seed=SUITE.seeds,
        ),
        AUDIT,
        expand(
            f"{RUN}/tables/{{table}}.{{kind}}", table=TABLES, kind=["csv", "md", "tex"]
        ),
        expand(
            f"{RUN}/figures/{{figure}}.{{kind}}", figure=FIGURES, kind=["svg", "png"]
        ),


include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/analysis.smk"


onstart:
    lock_run()


onsuccess:
    tell_results()
