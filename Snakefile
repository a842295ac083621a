"""WeCKD reproducibility suite: data sets -> groups -> splits -> fits -> predictions -> tables and figures.

`snakemake --cores all` runs config/demo.yaml, three small real data sets; `--configfile config/real-small.yaml` another
suite; `--config seeds='[1,2]' datasets='[ear_chile_small]' methods='[weckd,single]'` narrows a run.
`--config records=reference` makes tables and figures from a frozen reference, without training.
`snakemake --cores all leakage` trains on official test parts too, and shows what copies of training images gain there.
`snakemake --cores all tune` searches for each method's settings; `--config tuned=true` trains with what it chose.
"""

from snakemake.utils import min_version

min_version("9.27")


report: "report/workflow.rst"


container: "docker://weckd:0.1.0"


if not workflow.configfiles:

    configfile: f"{workflow.basedir}/config/demo.yaml"


include: "rules/runs.smk"
include: "rules/files.smk"


rule all:
    input:
        MANIFESTS,
        PREDICTIONS,
        AUDIT,
        outputs(SUITE, TABLES, FIGURES),
        RUN.report,
        RUN.crate,


rule tune:
    input:
        [file for dataset in SUITE.datasets for file in tuned_files(SUITE, dataset)],


rule readings:
    input:
        of_study(READINGS, "readings", ["readings"], ["specification"], NO_READINGS),


rule leakage:
    input:
        of_study(OFFICIAL, "leak study", ["leakage"], ["leakage"], NO_OFFICIAL),


if RECORDS == "reference":

    include: "rules/reference.smk"

else:

    include: "rules/data.smk"
    include: "rules/train.smk"


include: "rules/analysis.smk"
include: "rules/report.smk"
include: "rules/call.smk"


onstart:
    begin()


onerror:
    tell_failures()


onsuccess:
    tell_results()
