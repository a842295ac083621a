"""The profile for Kubernetes against stand-ins of its API and of an object store, both on this machine's loopback.

No run here has seen a cluster: kubernetes_stand_in.py says what that leaves unchecked.
"""

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from engine import REPOSITORY, TINY, environment
from kubernetes_stand_in import (
    KubernetesStandIn,
    ObjectStoreStandIn,
    command,
    container,
    local_pod,
    rule_of,
)

from weckd.suite_file import resolve_suite

pytestmark = pytest.mark.workflow

PROFILE = REPOSITORY / "profiles" / "kubernetes" / "profile.yaml"
WORKFLOW = ("Snakefile", "rules", "config", "report", "profiles", "datasets.lock", "tests/workflow/tiny.yaml")
# What each rule would have made, for pods that only say how they ended.
OUTPUTS = {
    "suite": ["results/{run}/suite.json"],
    "prepare": [
        f"results/data/{{dataset}}-32px/{name}"
        for name in ("images.npy", "thumbnails.npy", "index.csv", "dataset.json", "seen.json")
    ],
    "group": [
        f"results/{{run}}/groups/{{dataset}}/{name}"
        for name in ("groups.csv", "pairs.csv", "clusters.csv", "sums.json")
    ],
    "split": [f"results/{{run}}/splits/{{dataset}}/{name}" for name in ("seed1.csv", "sums.json")],
    "train": [
        f"results/{{run}}/{file}"
        for file in (
            "manifests/{dataset}/{batch}.json",
            *(f"gathered/{{dataset}}/{{batch}}.{kind}" for kind in ("tar", "sums.json")),
        )
    ],
    "gather": [
        f"results/{{run}}/predictions/{{dataset}}/seed{{seed}}.{kind}" for kind in ("parquet", "sums.json")
    ],
    "attention": [f"results/{{run}}/attention/{{dataset}}.{kind}" for kind in ("npz", "sums.json")],
    "tuning_split": [
        f"results/{{run}}/tuned/splits/{{dataset}}/{name}"
        for name in ("seed1001.csv", "seed1002.csv", "sums.json")
    ],
    "tune_method": ["results/{run}/tuned/{dataset}/{method}.json"],
}


def changed(**changes):
    """Return the options that narrow the tiny suite, and the name of the run that comes of it."""
    words = [f"{key}=[{','.join(map(str, values))}]" for key, values in changes.items()]
    return ["--config", *words], resolve_suite([TINY], changes).run


def checkout_in(parent):
    """Return a copy of the workflow under git: pods are given the files that git knows, and nothing else."""
    folder = parent / "checkout"
    for name in WORKFLOW:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    return folder


def snakemake_on(cluster, store, checkout, *arguments):
    """Run the workflow with the profile, as a person does from the folder of the Snakefile."""
    settings = {
        "KUBECONFIG": str(cluster.kubeconfig(checkout.parent / "kubeconfig")),
        "WECKD_BUCKET": "bucket",
        "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": store.url,
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "the access key",
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "the secret key",
    }
    return subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/kubernetes"),
            *("--configfile", "tests/workflow/tiny.yaml", "--seconds-between-status-checks", "1", *arguments),
        ],
        cwd=checkout,
        env={**environment(), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def wildcards(body):
    """Return the wildcards of a job."""
    (words,) = re.findall(r"--target-jobs '\w+:([^']*)'", command(body))
    return dict(word.split("=") for word in words.split(","))


def pretend(store, run, fails=()):
    """Return a pod that runs nothing: it puts empty files where the job's would be, or fails where it is told to."""

    def pod(body, _):
        rule, of = rule_of(body), wildcards(body)
        if (rule, of.get("dataset")) in fails:
            return 1, "what the pod printed"
        for output in OUTPUTS[rule]:
            store.put("bucket", output.format(**{"run": run, **of}), b"")
        return 0, ""

    return pod


class Run:
    """What is left of one run on the stand-ins: its process, and what they were sent."""

    def __init__(self, folder, pod, *arguments, made=(), **how):
        with ObjectStoreStandIn() as store:
            for file, content in made:
                store.put("bucket", file, content)
            with KubernetesStandIn(pod(store), **how) as cluster:
                self.process = snakemake_on(cluster, store, checkout_in(folder), *arguments)
            self.files = {key: content for key, (content, _) in store.buckets["bucket"].items()}
        self.cluster = cluster
        self.output = self.process.stdout
        self.bodies = list(cluster.jobs.values())
        self.jobs = sorted((rule_of(body), wildcards(body).get("dataset")) for body in self.bodies)


BRAIN = "phantom_brain_mri"
EAR = "phantom_ear_ohio"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a run in which no job was really run, of one data set to predictions, attention and chosen settings."""
    options, run = changed(datasets=[BRAIN], methods=["weckd", "single"], seeds=[1])
    targets = [
        f"results/{run}/predictions/{BRAIN}/seed1.parquet",
        f"results/{run}/attention/{BRAIN}.npz",
        f"results/{run}/tuned/{BRAIN}/single.json",
    ]
    done = Run(tmp_path_factory.mktemp("recorded"), lambda store: pretend(store, run), *targets, *options)
    assert done.process.returncode == 0, done.output
    return done, run


def resources(done):
    return {rule_of(body): container(body)["resources"] for body in done.bodies}


def test_every_rule_is_a_job_of_the_cluster(recorded):
    done, _ = recorded
    assert done.jobs == [("suite", None) if rule == "suite" else (rule, BRAIN) for rule in sorted(OUTPUTS)]
    paths = {path for method, path in done.cluster.requests if method == "POST" and path.endswith("/jobs")}
    assert paths == {"/apis/batch/v1/namespaces/default/jobs"}
    assert sorted(done.cluster.deleted) == sorted(done.cluster.jobs)  # nothing is left behind on the cluster


def test_jobs_that_train_ask_for_one_card_and_set_limits(recorded):
    done, _ = recorded
    asked = {"memory": "4000M", "ephemeral-storage": "8000M", "nvidia.com/gpu": "1"}
    for rule in ("train", "tune_method"):
        assert resources(done)[rule] == {
            "requests": {"cpu": "950m", **asked},  # the executor leaves a node's own services 5 % of a core
            "limits": {"cpu": "1000m", **asked},
        }


def test_all_other_jobs_ask_for_no_card_and_set_no_limits(recorded):
    done, _ = recorded
    others = {rule: asked for rule, asked in resources(done).items() if "gpu" not in json.dumps(asked)}
    asked = {"requests": {"cpu": "950m", "memory": "2000M", "ephemeral-storage": "8000M"}}
    assert others == dict.fromkeys(
        [*("suite", "prepare", "group", "split"), *("gather", "attention", "tuning_split")], asked
    )


def test_only_jobs_with_a_card_may_run_on_tainted_nodes(recorded):
    done, _ = recorded
    for body in done.bodies:
        taint = {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}
        with_card = rule_of(body) in ("train", "tune_method")
        assert body["spec"]["template"]["spec"].get("tolerations", []) == ([taint] if with_card else [])


def test_pods_have_the_image_a_folder_of_their_own_and_the_shared_claim(recorded):
    done, _ = recorded
    for body in done.bodies:
        pod, one = body["spec"]["template"]["spec"], container(body)
        assert one["image"] == "weckd:0.1.0"
        assert (one["workingDir"], one["command"], one["args"][0]) == ("/workdir", ["/bin/sh"], "-c")
        assert pod["volumes"] == [
            {"name": "workdir", "emptyDir": {}},
            {"name": "weckd-store", "persistentVolumeClaim": {"claimName": "weckd-store"}},
        ]
        assert [mount["mountPath"] for mount in one["volumeMounts"]] == ["/workdir", "/workdir/store"]
        assert (pod["restartPolicy"], body["spec"]["backoffLimit"]) == ("Never", 0)


def test_the_command_of_a_pod(recorded):
    done, run = recorded
    (train,) = [command(body) for body in done.bodies if rule_of(body) == "train"]
    # First a `pip` that does nothing, last the one job; in between the links, the call of that `pip` and the sources.
    assert train.startswith("pip() { :; } && mkdir -p results store/fits ")
    assert ' && ln -s "$(pwd)" .snakemake/storage/s3/bucket && ' in train
    assert " && python -m snakemake --deploy-sources s3://bucket/snakemake-workflow-sources." in train
    last = train.split(" && ")[-1]
    assert last.startswith(
        f"python -m snakemake --snakefile 'Snakefile' --target-jobs 'train:run={run},dataset={BRAIN},batch=seeds1-1' "
        "--allowed-rules train --cores 'all' "
    )
    assert " --configfiles 'tests/workflow/tiny.yaml' " in last
    assert f" --config 'datasets=[{BRAIN}]' 'methods=[weckd,single]' 'seeds=[1]' " in last
    assert " --default-storage-prefix 's3://bucket' --default-storage-provider 's3' " in last


def test_keys_of_the_store_go_by_a_secret_and_in_no_job(recorded):
    done, _ = recorded
    ((secret, content),) = done.cluster.secrets.items()
    decoded = {key: base64.b64decode(value).decode() for key, value in content.items()}
    assert decoded["snakemake_storage_s3_access_key"] == "the access key"
    assert decoded["snakemake_storage_s3_secret_key"] == "the secret key"  # noqa: S105
    assert ("DELETE", f"/api/v1/namespaces/default/secrets/{secret}") in done.cluster.requests
    for body in done.bodies:
        named = {one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container(body)["env"]}
        assert named["SNAKEMAKE_STORAGE_S3_SECRET_KEY"] == secret
        assert "the secret key" not in json.dumps(body)


def test_the_profile_says_what_the_default_profile_says_where_both_can():
    default = yaml.safe_load((REPOSITORY / "profiles" / "default" / "profile.yaml").read_text())
    cluster = yaml.safe_load(PROFILE.read_text())
    assert {**default, "quiet": ["reason"]} == {key: cluster.get(key) for key in default}


def failing_run(folder, **how):
    """Return a run of two data sets in which the pod that prepares one of them fails."""
    options, run = changed(datasets=[EAR, BRAIN], methods=["single"], seeds=[1])
    targets = [f"results/{run}/predictions/{dataset}/seed1.parquet" for dataset in (EAR, BRAIN)]
    return Run(folder, lambda store: pretend(store, run, fails=[("prepare", EAR)]), *targets, *options, **how)


def test_a_failed_pod_fails_the_run_and_the_other_data_set_still_ends(tmp_path):
    done = failing_run(tmp_path)
    assert done.process.returncode == 1, done.output
    (error,) = re.findall(r"^Error in rule (.*?)external_jobid", done.output, flags=re.MULTILINE | re.DOTALL)
    assert error.startswith("prepare:")
    assert f"results/data/{EAR}-32px/images.npy" in error
    others = [(rule, BRAIN) for rule in ("gather", "group", "prepare", "split", "train")]
    assert done.jobs == sorted(
        [*others, ("prepare", EAR), ("suite", None)], key=lambda job: (job[0], job[1] or "")
    )
    (log,) = (tmp_path / "checkout/.snakemake/auxiliary/kubernetes-logs").glob("*.log")
    assert log.read_text() == "what the pod printed\n"


def test_a_kubelet_that_refuses_the_log_of_a_failed_pod_ends_the_run_at_once(tmp_path):
    """A fault of the executor, 0.5.1, so that keep-going does not hold there. A failing test may mean it was mended."""
    done = failing_run(tmp_path, refuses_earlier_logs=True)
    assert done.process.returncode == 1
    assert "previous terminated container" in done.output
    assert ("gather", BRAIN) not in done.jobs


def files_below(folder, *kinds):
    """Return the path, seen from the folder, and content of files of these kinds."""
    found = sorted(file for kind in kinds for file in folder.glob(kind) if file.is_file())
    return [(str(file.relative_to(folder)), file.read_bytes()) for file in found]


def test_pods_of_other_folders_make_the_bytes_of_a_plain_run(finished, tmp_path):
    """Train and gather really run, each in a folder of its own, with only what the bucket and the claim hand them."""
    plain, _ = finished
    target = f"results/tiny/predictions/{BRAIN}/seed1.parquet"
    of_run = (f"results/tiny/{part}/{BRAIN}/*" for part in ("groups", "splits"))
    made = files_below(plain, "results/tiny/suite.json", *of_run, f"results/data/{BRAIN}-*/*")

    def pod(_):
        return local_pod(tmp_path, Path(sys.executable).parent)

    done = Run(tmp_path, pod, target, made=made)
    assert done.process.returncode == 0, [done.output, done.cluster.ended]
    assert done.jobs == [("gather", BRAIN), ("train", BRAIN)]
    assert done.files[target] == (plain / target).read_bytes()
    claim, store = (
        tmp_path / "claims/weckd-store/fits",
        plain / "results/fits",
    )  # the claim outlives its pods' folders
    stored, expected = (
        {r.parent.name for r in fits.glob(f"{BRAIN}/*/record.json")} for fits in (claim, store)
    )
    assert stored == expected
