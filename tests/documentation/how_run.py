"""How each command of the documents is run: one entry for each, in the words of the documents.

A new command in a document needs one line here, or test_every_command.py fails and names it: `Run("...")`, with what
the document promises in `prints` and `makes`. entries.py says what else an entry can be. A command that stands in two
documents has one entry.
"""

from entries import ByStage, ByTest, NotRun, Run, RunWithDocker, Short

# What the scratch checkout has otherwise than the repository, so that a run takes seconds: suites of fewer data sets,
# methods, seeds and steps. Their names, and so their folders, are the documents'.
SMALL_SUITES = {
    "config/demo.yaml": {
        "datasets": ["ear_chile_small", "blood_bccd_small", "brain_cheng_small"],
        "methods": ["weckd", "single", "pooled", "permuted", "majority"],
        "seeds": [1],
        "training": {"steps": 2},
        "tuning": {"trials": 2, "seeds": [1001]},
    },
    # What concerns the committed reference of this one reads committed/ in place of config/.
    "config/real-small.yaml": {
        "methods": ["weckd", "single", "pooled"],
        "seeds": [1],
        "image_size": 32,
        "training": {"steps": 2},
    },
}
# PATH of the documents: class folders of drawn images, under the names and with the counts of real sets.
IMAGES = {
    "my_ears": {"Normal": 120, "Effusion": 80},
    "ear_chile": {
        f"{part}/{name}": count
        for part, count in (("Training-validation", 180), ("Testing", 40))
        for name in ("Chronic otitis media", "Earwax plug", "Myringosclerosis", "Normal")
    },
    "wbc_zheng": {"basophil": 1, "eosinophil": 22, "lymphocyte": 53, "monocyte": 48, "neutrophil": 176},
    "brain_yesno": {"no": 98, "yes": 155},
}

IN_PATH = (("PATH", "images"),)
DRAWN = "PATH is a folder of drawn images"
PAPER = "the six sets need the network, and their training a GPU"
LOGGED = "what a search says is in its log"
TABLES = "tables of one more run take half a minute"
DEMO = "snakemake --cores all"
MY_EARS = "weckd datasets --describe PATH/my_ears > mine.yaml"
OF_ONE_SET = "--config datasets='[ear_chile_small]'"
TUNE = f"snakemake --cores all tune {OF_ONE_SET} methods='[weckd,single,pooled]'"
EXPORT = (
    "weckd export --run results/demo --dataset blood_bccd_small --method pooled --seed 1 --out blood-model"
)
FREEZE = "weckd freeze results/demo --out FOLDER"
ONE_CELL = (
    "snakemake --cores all --config datasets='[brain_cheng_small]' seeds='[1]' methods='[weckd,single]'"
)
REAL_FILE = "--configfile config/real-small.yaml"
REAL = f"snakemake --cores all {REAL_FILE}"
FOUR = "snakemake --cores all --configfile config/real.yaml"

ON_THE_DEFAULT = (
    # Lists and checks, which need no run.
    Run("weckd methods", prints=("pooled control 3 S is it just more labels?",)),
    Run("weckd methods --wide", prints=("M3: D3; from M2; taught by M2 (T 4 -> 1, beta 1); 1 S",)),
    Run("weckd readings", prints=("17 readings differ from the reference in one choice",)),
    Run("weckd datasets", prints=("phantom_blood_cells Phantom of PBC blood cells",)),
    Run(
        "weckd datasets ear_ohio",
        prints=("citation", "licence", "CC BY 4.0", "weckd fetch --dataset ear_ohio"),
    ),
    Run("weckd fetch --help", prints=("usage: weckd fetch",)),
    Run(
        "source .venv/bin/activate",
        add='&& test -x "$VIRTUAL_ENV/bin/snakemake"',
        why="what it activates is looked at before the shell ends",
    ),
    Run(
        "python -c \"import timm; print(timm.list_pretrained('resnet50.*'))\"",
        prints=("'resnet50.a1_in1k'",),
    ),
    Run(
        "weckd doctor --suite config/paper.yaml",
        prints=("cores and memory", "to be downloaded from doi:", "checks say that a run would fail here"),
        status=1,  # there are no credentials of Kaggle in the scratch checkout
    ),
    Run(
        "weckd plan --suite config/paper.yaml",
        prints=(": 6 data sets x 10 seeds", "device-hours", "Disk: about"),
        add="--config image_size=32",
        why="passes at 224 px take long on a CPU",
    ),
    Run(
        "weckd plan --suite config/paper.yaml config/paper-panel.yaml",
        prints=(": 6 data sets x 10 seeds, 26 methods", "device-hours"),
        add="--config image_size=32 'panel={backbones: [{name: resnet50, init: a1_in1k}], labels: [10, 30, 100]}'",
        why="passes of seven networks at 224 px take minutes on a CPU",
    ),
    Run(
        "weckd plan --suite config/real-small.yaml --reference results/reference/real",
        prints=(
            "Variances: those of real (10 seeds; ",
            'Superiority: chances in % of "gain", on macro of ',
        ),
        instead=(("config/", "committed/"),),
        why="power needs five seeds, and the reduced suite has one",
    ),
    Run("snakemake -n", prints=("This was a dry-run",)),
    # The default suite, and what is told of a finished run.
    Run(
        DEMO,
        prints=("run demo: 3 data sets, 5 methods, 1 seed; plan ", "report results/demo/report.html"),
        makes=(
            "results/demo/report.html",
            "results/demo/ro-crate-metadata.json",
            "results/demo/tables/main.tex",
            "results/demo/figures/forest.svg",
            "results/demo/predictions/ear_chile_small/seed1.parquet",
        ),
    ),
    Run("weckd runs", prints=("run suite changed state cells", "results/demo demo finished"), after=(DEMO,)),
    Run("weckd verify results/demo", prints=("recorded things are what they were",), after=(DEMO,)),
    Run(
        "weckd methods --wide --suite results/demo/suite.json",
        prints=("M3: D3; from M2; taught by M2 (T 4 -> 1, beta 1); 2",),
        after=(DEMO,),
    ),
    *(
        Run(
            f"snakemake --cores all --set-resources train:{setting}",
            prints=("Nothing to be done",),
            after=(DEMO,),
        )
        for setting in ("checkpoint_s=600", "jobs_per_gpu=4")
    ),
    Run(
        "weckd freeze results/demo --cells",
        add="--out part",
        why="the next command makes the reference that this would be a part of",
        prints=("part/cells: 3 of 3 cells, 3 of them new",),
        after=(DEMO,),
    ),
    Run(
        FREEZE,
        instead=(("FOLDER", "results/reference/demo"),),
        why="the next two commands read a reference of that name",
        makes=("results/reference/demo/reference.json",),
        after=(DEMO,),
    ),
    Run("weckd agree results/demo results/reference/demo", prints=("Reproduced: ",), after=(FREEZE,)),
    Run(
        "snakemake --cores all --config records=reference",
        makes=("results/demo-reference/tables/main.md", "results/demo-reference/report.html"),
        after=(FREEZE,),
    ),
    Run(
        "weckd freeze results/demo-reference",
        makes=("results/reference/demo/tables/answers.csv",),
        after=("snakemake --cores all --config records=reference",),
    ),
    Run(
        "weckd unfreeze results/reference/demo --out FOLDER",
        makes=("FOLDER/predictions/*/seed1.parquet",),
        after=(FREEZE,),
    ),
    Run("cp config/tables.yaml paper.yaml", makes=("paper.yaml",)),
    Run(
        "weckd tables --run results/demo --layout paper.yaml",
        makes=("paper/demo/main.tex", "paper/demo/gains.csv"),
        after=(DEMO, "cp config/tables.yaml paper.yaml"),
    ),
    # Networks of the default suite.
    Run(
        EXPORT,
        prints=("blood-model: pooled of blood_bccd_small, seed 1; accuracy in % ",),
        makes=("blood-model/model.safetensors", "blood-model/README.md"),
        after=(DEMO,),
    ),
    Run(
        f"{EXPORT.replace('blood-model', 'blood-onnx')} --onnx",
        prints=("blood-onnx: pooled of blood_bccd_small, seed 1; accuracy in % ",),
        makes=("blood-onnx/model.onnx",),
        after=(DEMO,),
    ),
    Run(
        "weckd export --run results/reference/demo --dataset ear_chile_small --seed 1 --out ear-model",
        prints=("ear-model: weckd of ear_chile_small, seed 1; accuracy in % ",),
        makes=("ear-model/weckd.json",),
        after=(FREEZE,),
    ),
    Run(
        "weckd predict blood-model PATH/wbc_zheng --out predictions.csv",
        instead=IN_PATH,
        why=DRAWN,
        prints=("predictions.csv: 300 images: ",),
        makes=("predictions.csv",),
        after=(EXPORT,),
    ),
    Run(
        "weckd predict blood-model image.png --out one.csv --maps maps",
        instead=(("image.png", "images/wbc_zheng/basophil/0.png"),),
        why="an image of the drawn ones",
        prints=("one.csv: 1 image: 1 ",),
        makes=("maps/000001-0.png",),
        after=(EXPORT,),
    ),
    Run(
        "weckd evaluate blood-model --data wbc_zheng --data-root PATH --out on-wbc",
        instead=IN_PATH,
        why=DRAWN,
        prints=(
            "# pooled of blood_bccd_small, seed 1, on wbc_zheng\n",
            ": 299 images in 299 groups count.",
            "left out: basophil (1 image).",
            "| training | 0 | 0 |",
        ),
        makes=("on-wbc/evaluation.json", "on-wbc/predictions.csv"),
        after=(EXPORT,),
    ),
    # Parts of the default suite.
    Run(
        ONE_CELL,
        add="--until gather",
        why=TABLES,
        makes=("results/demo+*/predictions/brain_cheng_small/seed1.parquet",),
    ),
    Run(
        "weckd agree results/demo+HASH results/reference/demo",
        instead=(
            ("results/demo+HASH", "$(dirname $(dirname results/demo+*/predictions/brain_cheng_small))"),
        ),
        why="HASH is that of the run before",
        prints=("Reproduced: ",),
        after=(FREEZE, ONE_CELL),
    ),
    Run(
        "snakemake --cores all --config seeds='[1,2]' datasets='[ear_chile_small]' methods='[weckd,single,pooled]'",
        add="--until gather",
        why=TABLES,
        makes=("results/demo+*/predictions/ear_chile_small/seed2.parquet",),
        after=(DEMO,),
    ),
    Run(
        f"snakemake --cores all readings {OF_ONE_SET} seeds='[1]'",
        makes=("results/*-readings/tables/readings.md", "results/*-readings/figures/specification.svg"),
    ),
    Run(
        TUNE,
        add="&& cat results/demo+*/logs/tune/ear_chile_small/weckd.log",
        why=LOGGED,
        prints=("[ear_chile_small weckd] trial 2 of 2",),
        makes=tuple(
            f"results/demo+*/tuned/ear_chile_small/{name}.json" for name in ("weckd", "single", "pooled")
        ),
    ),
    Run(
        f"snakemake --cores all {OF_ONE_SET} methods='[weckd,single,pooled]' tuned=true",
        add="--until train && grep --recursive --only-matching '\"tuning\"' results/demo+*/manifests && "
        "cat results/demo+*/logs/tune/ear_chile_small/weckd.log",
        why=f"{TABLES}; the record of the fits is searched for what they were trained with; {LOGGED}",
        prints=("[ear_chile_small weckd] 2 of 2 trials are there", '.json:"tuning"\n'),
        after=(TUNE,),
    ),
)

ON_IMAGES = (
    *(
        Run(
            f"snakemake --cores all --configfile {files} --config data_root=PATH",
            instead=IN_PATH,
            add="-n",
            why="its four sets are not all among the drawn ones, and its training takes hours",
            prints=("This was a dry-run",),
        )
        for files in ("config/real.yaml", "config/real.yaml config/real-curves.yaml")
    ),
    Run(
        "weckd plan --suite config/real.yaml --config data_root=PATH --reference results/reference/real",
        instead=IN_PATH,
        why=DRAWN,
        prints=(
            "suite real: 4 data sets x 10 seeds",
            "over chain-random 4.2 6.5 to 6.8 17.8 -",
        ),
    ),
    Run(
        f"{REAL} --config data_root=PATH",
        instead=IN_PATH,
        add="--until split",
        why=f"{DRAWN}; the next command trains on one of the three sets",
        makes=tuple(
            f"results/real-small/splits/{name}/seed1.csv"
            for name in ("ear_chile", "wbc_zheng", "brain_yesno")
        ),
    ),
    Run(
        f"{REAL} --config data_root=PATH datasets='[ear_chile]' seeds='[1]'",
        instead=IN_PATH,
        add="--until gather",
        why=f"{DRAWN}; {TABLES}",
        makes=("results/real-small+*/predictions/ear_chile/seed1.parquet",),
    ),
    Run(
        f"{REAL} --config data_root=PATH datasets='[ear_chile]' split='{{stage: 0.05}}'",
        instead=IN_PATH,
        add="-n",
        why=f"{DRAWN}; {TABLES}",
        prints=("This was a dry-run",),
    ),
    Run(
        "weckd lock results/data/*",
        instead=(("lock", "lock --lock mine.lock"),),
        add="&& cat mine.lock",
        why="the repository's record stays as it is",
        prints=("ear_chile:", " 32:\n"),
        after=(f"{REAL} --config data_root=PATH",),
    ),
    Run(
        MY_EARS,
        instead=IN_PATH,
        add="&& cat mine.yaml",
        why=DRAWN,
        prints=("my_ears:", "title: effusion\n count: 80\n", "licence: FILL IN"),
    ),
    Run(
        "weckd datasets --describe FOLDER > mine.yaml",
        instead=(("FOLDER", "images/my_ears"), ("mine", "described")),
        add="&& cat described.yaml",
        why="FOLDER has drawn images; the next commands have an edited mine.yaml",
        prints=("my_ears:", "licence: FILL IN"),
    ),
    Run(
        "$EDITOR mine.yaml",
        instead=(("$EDITOR", "sed --in-place 's/FILL IN/CC BY 4.0/'"),),
        why="nobody is there to edit",
        after=(MY_EARS,),
    ),
    Run(
        "weckd datasets my_ears --catalogue mine.yaml",
        prints=("title my_ears", "licence CC BY 4.0", "effusion effusion Effusion 80\n"),
        after=("$EDITOR mine.yaml",),
    ),
    Run(
        f"{REAL} --config catalogue=mine.yaml data_root=PATH datasets='[my_ears]'",
        instead=IN_PATH,
        why=DRAWN,
        prints=("run real-small+", "data set (accuracy, %) single", "\nmy_ears "),
        makes=("results/real-small+*/audit/my_ears.png",),
        after=("$EDITOR mine.yaml",),
    ),
    # The paper's suite is only planned.
    *(
        Run(command, instead=instead, add="-n", why=PAPER, prints=("\nfetch 6\n", "\ntrain 60\n"))
        for command, instead in (
            ("snakemake --cores all --configfile config/paper.yaml", ()),
            ("snakemake --cores all --configfile config/paper.yaml --config data_root=PATH", IN_PATH),
        )
    ),
    Run(
        "snakemake --cores 2 --configfile config/paper.yaml config/paper-panel.yaml --until fetch weights",
        add="-n",
        why="it needs the network",
        prints=("\nfetch 6\nweights 6\ntotal 12\n",),
    ),
)

AS_ROOT = "docker run --rm --user $(id -u):$(id -g)"
IN_OUT = '-v "$PWD/out:/work"'
PLAIN = f"mkdir -p out && {AS_ROOT} {IN_OUT} weckd:0.1.0"
SMALL_RUN = (
    "--cores all --config datasets='[brain_cheng_small]' methods='[weckd,single]' training='{steps: 2}'"
)
NARROWED = "the whole default suite takes minutes"
SAVE = "docker save weckd:0.1.0 | gzip > weckd-0.1.0.tar.gz"
LOAD = "docker load --input weckd-0.1.0.tar.gz"
# An image of one small file, which the tests import, and whose id they wrote to small.id.
SMALL_IMAGE = ("weckd:0.1.0", "weckd-small:test")
GIGABYTES = "an image of one small file: 6.5 GB take minutes to pack"

WITH_DOCKER = (
    RunWithDocker("make image", prints=("naming to docker.io/library/weckd:0.1.0",)),
    RunWithDocker(
        PLAIN,
        add=f"{SMALL_RUN} seeds='[1]'",
        why=NARROWED,
        prints=("\nbrain_cheng_small ", "report results/demo+"),
        makes=("out/results/demo+*/report.html", "out/.snakemake"),
        after=("make image",),
    ),
    RunWithDocker(
        "docker run --rm --network none --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges "
        f"--user $(id -u):$(id -g) {IN_OUT} weckd:0.1.0",
        add=f"{SMALL_RUN} seeds='[2]' --until gather",
        why=NARROWED,
        makes=("out/results/demo+*/predictions/brain_cheng_small/seed2.parquet",),
        after=(PLAIN,),
    ),
    RunWithDocker(
        f"{AS_ROOT} {IN_OUT} -e WECKD_IMAGE=$(docker image inspect --format '{{{{.Id}}}}' weckd:0.1.0) weckd:0.1.0",
        add=f"{SMALL_RUN} seeds='[1]' --forcerun provenance && "
        "grep --quiet $(docker image inspect --format '{{slice .Id 7}}' weckd:0.1.0) "
        "out/results/demo+*/ro-crate-metadata.json",
        why=f"{NARROWED}; the record is searched for the image",
        after=(PLAIN,),
    ),
    RunWithDocker(
        f"{AS_ROOT} {IN_OUT} weckd:0.1.0 --cores all --config records=reference",
        makes=("out/results/demo-reference/report.html", "out/results/demo-reference/figures/forest.svg"),
        after=(PLAIN,),
    ),
    RunWithDocker(
        "mkdir -p out && WECKD_USER=$(id -u):$(id -g) docker compose run --rm tables",
        add="&& cmp out/results/demo-reference/tables/main.md results/reference/demo/tables/main.md",
        why="the tables are compared with those of the reference",
        after=("make image",),
    ),
    RunWithDocker(
        f"{AS_ROOT} {IN_OUT} --entrypoint weckd weckd:0.1.0 doctor",
        prints=("no NVIDIA driver here (in a container: --gpus all)", "/work can be written"),
        after=(PLAIN,),
    ),
    RunWithDocker(
        "make sbom > weckd.cdx.json",
        add="&& grep --extended-regexp 'bomFormat|specVersion|\"torch\"' weckd.cdx.json",
        why="it is searched for what it is and holds",
        prints=('"bomFormat": "CycloneDX"', '"specVersion": "1.6"', '"name": "torch"'),
        after=("make image",),
    ),
    RunWithDocker(SAVE, instead=(SMALL_IMAGE,), why=GIGABYTES, makes=("weckd-0.1.0.tar.gz",)),
    RunWithDocker(
        LOAD,
        instead=(("docker load", f"docker rmi {SMALL_IMAGE[1]} && docker load"),),
        why="the image is removed first: another machine has none",
        prints=(f"Loaded image: {SMALL_IMAGE[1]}",),
        after=(SAVE,),
    ),
    RunWithDocker(
        "docker image inspect --format '{{.Id}}' weckd:0.1.0",
        instead=(SMALL_IMAGE,),
        add="| cmp - small.id",
        why=f"{GIGABYTES}; its id is compared with that before",
        after=(LOAD,),
    ),
)

LEAKAGE = f"snakemake --cores all leakage {REAL_FILE} --config data_root=PATH datasets='[ear_chile]'"
KUBERNETES = (
    "tests/clusters/test_kubernetes_profile.py::test_pods_of_other_folders_make_the_bytes_of_a_plain_run"
)
DRAWN_AGAIN = (
    "tests/agreement/test_reference_again.py::test_the_workflow_draws_every_output_of_the_references_again"
)
WEIGHTS = "tests/data/test_weights.py::test_weights_are_fetched_recorded_and_another_file_is_refused"

BY_ANOTHER_TEST = (
    ByTest(
        "snakemake --workflow-profile profiles/slurm --configfile config/paper.yaml",
        "tests/clusters/test_slurm_profile.py"
        "::test_a_failing_cell_fails_alone_and_is_made_alone_by_the_next_call",
    ),
    ByTest(
        "export WECKD_BUCKET=... SNAKEMAKE_STORAGE_S3_ACCESS_KEY=... SNAKEMAKE_STORAGE_S3_SECRET_KEY=...",
        KUBERNETES,
    ),
    ByTest("snakemake --workflow-profile profiles/kubernetes --configfile config/paper.yaml", KUBERNETES),
    *(
        ByTest(f"{FOUR} --config records=reference{targets}", DRAWN_AGAIN)
        for targets in ("", " -- all readings")
    ),
    ByTest("weckd weights", WEIGHTS),
    ByTest("weckd lock --weights data/weights/*.json", WEIGHTS),
    ByTest(
        "weckd import-predictions mine.csv --run results/demo --name mine --selection validation",
        "tests/workflow/test_report.py::test_a_method_trained_elsewhere_joins_the_tables_without_training",
    ),
    ByTest(
        "python docs/small_copies.py PATH --out FOLDER",
        "tests/data/test_small_copies.py::test_the_sources_give_the_same_bytes_again",
    ),
    ByTest(LEAKAGE, "tests/workflow/test_leakage.py::test_the_copies_are_found_and_counted"),
    ByStage("make", "demo"),
    ByStage("make phantoms", "phantoms"),
    ByStage("make setup", "demo"),
    ByStage("make test", "test"),
    ByStage("make chaos", "chaos"),
    ByStage("make chaos KILLS=50", "chaos"),
    ByStage("make container-check", "container-check"),
    ByStage("make slurm-check", "slurm-check"),
    ByStage("make tex-check", "tex-check"),
    ByStage("snakemake --cores all --configfile config/selfcheck.yaml", "selfcheck"),
    ByStage("weckd selfcheck --run results/selfcheck", "selfcheck"),
    Short("snakemake tune", TUNE),
    Short("snakemake leakage", LEAKAGE),
    Short("snakemake readings", f"snakemake --cores all readings {OF_ONE_SET} seeds='[1]'"),
    Short("weckd selfcheck", "weckd selfcheck --run results/selfcheck"),
    Short("weckd verify", "weckd verify results/demo"),
    Short("weckd export", EXPORT),
    Short("weckd predict", "weckd predict blood-model PATH/wbc_zheng --out predictions.csv"),
    Short("weckd agree", "weckd agree results/demo results/reference/demo"),
)

APPTAINER = ("there is no Apptainer here", "None of this was tried here")

NOT_RUN = (
    NotRun("benchmarks/on_a_gpu.sh DATA_ROOT OUT", "there is no GPU here", "its benchmarks were not"),
    NotRun("docker save weckd:0.1.0 --output weckd.tar", *APPTAINER),
    NotRun("apptainer build weckd.sif docker-archive://weckd.tar", *APPTAINER),
    NotRun(
        'mkdir -p out && apptainer run --nv --no-eval --contain --bind "$PWD/out:/work" --pwd /work weckd.sif '
        "--cores all",
        *APPTAINER,
    ),
)

HOW = (*ON_THE_DEFAULT, *ON_IMAGES, *WITH_DOCKER, *BY_ANOTHER_TEST, *NOT_RUN)
