"""What a later job would refuse is refused in the first second, in the same words by every command and the workflow."""

import re
import shlex
import subprocess
import sys
from dataclasses import asdict

import pytest
import yaml
from engine import REPOSITORY, TINY, environment, snakemake, snakemake_command

from weckd.cli import main
from weckd.errors import UserError
from weckd.planning.first_second import refuse_impossible, too_many_jobs
from weckd.suite_file import resolve_suite
from weckd.training.limits import COMMITTED, KEPT, Shape, suite_shapes, versions
from weckd.training.probe import probe

NETWORKS = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
CONFIG = REPOSITORY / "config"
NO_PLAN = "analysis={families: [], claims: []}"
NO_NETWORK = (
    "timm has no network 'test_resnett'; "
    "near names: test_resnet, test_nfnet, seresnet50t, eca_resnet33ts, tresnet_m"
)
TOO_FEW = "a split needs 8 groups (three in test, one in each other part); leave it out with exclude_classes"
WRONG = {
    "unknown backbone": (
        ["backbone={name: test_resnett, init: random}"],
        f"backbone.name: {NO_NETWORK}",
    ),
    "unknown weights": (
        ["backbone={name: test_resnet, init: nosuch}"],
        "backbone.init: timm has no weights 'test_resnet.nosuch'; use other weights (test_resnet.r160_in1k), or init: "
        "random",
    ),
    "no packaged weights": (
        ["backbone={name: test_resnet, init: imagenet}"],
        "backbone.init: no packaged ImageNet weights for 'test_resnet'; known: "
        "tf_efficientnet_lite0, tf_efficientnet_lite1, tf_efficientnet_lite2. Use one of these, the tag of timm "
        "weights (timm.list_pretrained lists them), or init: random",
    ),
    "unknown backbone of the panel": (
        [
            "panel={backbones: [{name: test_resnet, init: random}, {name: test_resnett, init: random}], labels: [10]}",
            "methods=[single]",
            NO_PLAN,
        ],
        f"panel.backbones[1].name: {NO_NETWORK}",
    ),
    "unknown backbone of growing sizes": (
        ["backbone_sizes=[{name: test_resnett, init: random}, {name: test_resnet, init: random}]"],
        f"backbone_sizes[0].name: {NO_NETWORK}",
    ),
    "a transformer of another image size": (
        ["backbone={name: vit_tiny_patch16_224, init: random}"],
        "image_size: vit_tiny_patch16_224 takes no images of 32 px (Input height (32) doesn't match model (224)); use "
        "another image_size or backbone",
    ),
    "images too small for attention transfer": (
        ["backbone={name: test_vit2, init: random}"],
        "image_size: 32 px leaves test_vit2 no feature map of 4x4 for attention transfer; use larger images or set "
        "distillation.beta to 0",
    ),
    "a class of one image": (
        ["datasets=[wbc_zheng]", NO_PLAN],
        f"wbc_zheng: class basophil has 1 image, {TOO_FEW}: {{wbc_zheng: [basophil]}}",
    ),
    "a share that no groups give": (
        ["datasets=[brain_yesno]", "split={stage: 0.005}", NO_PLAN],
        "split.stage: 0.5 % of the training part of brain_yesno is asked for, its 253 images in 2 classes give "
        "0.816 %; set a share that they can give, or leave classes of few groups out with exclude_classes",
    ),
    "several at once": (
        ["backbone={name: test_resnett, init: random}", "datasets=[wbc_zheng]", NO_PLAN],
        f"backbone.name: {NO_NETWORK}\n"
        f"wbc_zheng: class basophil has 1 image, {TOO_FEW}: {{wbc_zheng: [basophil]}}",
    ),
}


@pytest.mark.workflow
@pytest.mark.parametrize("case", WRONG)
def test_every_command_and_the_workflow_say_the_same(case, tmp_path, monkeypatch, capsys):
    changes, message = WRONG[case]
    monkeypatch.chdir(tmp_path)
    for command in (
        ["suite", str(TINY), "--out", "suite.json"],
        ["plan", "--suite", str(TINY)],
        ["doctor", "--suite", str(TINY)],
    ):
        assert main([*command, "--config", *changes]) == 1
        assert capsys.readouterr() == ("", f"weckd: {message}\n")
    assert list(tmp_path.iterdir()) == []
    process = snakemake(tmp_path, "-n", "--config", *changes)
    assert process.returncode != 0
    assert f"weckd: {message}\n" in process.stdout
    assert "Traceback" not in process.stdout


@pytest.mark.parametrize(
    ("jobs", "told"), [(4, ""), (5, "5 training jobs at once need about 25.0 GB of memory, ")]
)
def test_more_jobs_than_memory_holds_are_told_with_the_cores_to_use(jobs, told, monkeypatch):
    monkeypatch.setattr("weckd.planning.first_second.host_memory", lambda: 20 * 10**9)
    monkeypatch.setattr("weckd.planning.first_second.visible_gpus", list)
    assert too_many_jobs(5 * 10**9, jobs) == (told and f"{told}there are 20.0 GB; use --cores 4")


def limited(folder, kilobytes, *arguments):
    """Run the workflow under the shell's limit of addresses, which counts as the memory there is."""
    command = shlex.join(snakemake_command(folder, *arguments))
    return subprocess.run(
        ["bash", "-c", f"ulimit -v {kilobytes}; {command} 2>&1"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env=environment(),
    )


@pytest.mark.workflow
def test_a_run_that_memory_cannot_hold_ends_before_its_first_job(tmp_path):
    batch = ("--config", "training={batch_size: 4096}")
    for target in ("all", "tune"):
        process = limited(tmp_path, 1_400_000, "--cores", "1", target, *batch)
        assert process.returncode == 1
        assert (
            "weckd: training.batch_size: steps on 4,096 images need about 1.6 GB of memory, there are 1.4 GB; "
            "use 3,403 or fewer, or a smaller image_size or backbone\n" in process.stdout
        )
    assert not (tmp_path / "results").joinpath("data").exists()
    assert limited(tmp_path, 1_400_000, "-n", *batch).returncode == 0  # which may be run elsewhere


@pytest.mark.workflow
def test_a_limit_that_no_library_can_be_loaded_under_is_named(tmp_path):
    process = limited(tmp_path, 900_000, "-n", "--config", "backbone={name: resnet10t, init: random}")
    assert process.returncode == 1
    assert re.search(
        r"^weckd: ulimit -v: 0\.9 GB of addresses are too few \(.+\); raise the limit, or lift it with "
        r"ulimit -v unlimited$",
        process.stdout,
        flags=re.MULTILINE,
    )
    assert "Traceback" not in process.stdout
    process = subprocess.run(
        ["bash", "-c", f"ulimit -v 900000; weckd plan --suite {TINY}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr.startswith("weckd: ulimit -v: 0.9 GB of addresses are too few (")


@pytest.mark.parametrize("name", NETWORKS["networks"])
def test_what_is_committed_of_a_network_is_what_a_look_at_it_finds(name):
    network, _, size = name.rpartition(" ")
    assert NETWORKS["versions"] == versions()
    plain = asdict(Shape())
    found = {key: value for key, value in asdict(probe(network, int(size))).items() if value != plain[key]}
    assert NETWORKS["networks"][name] == found


@pytest.mark.parametrize(
    "files",
    [
        ["phantoms"],
        ["selfcheck"],
        ["paper"],
        ["real-small"],
        ["real-small", "real-small-tuned"],
        ["real"],
        ["real", "real-curves"],
        ["real", "real-backbones", "real-lite1"],
        ["real", "real-backbones", "real-lite2"],
        ["real", "real-backbones", "real-regnet"],
    ],
)
def test_committed_suites_are_passed_without_torch_in_an_instant(files, tmp_path):
    code = (
        "import sys; from pathlib import Path; from weckd.suite_file import resolve_suite; "
        "from weckd.planning.first_second import refuse_impossible; "
        "refuse_impossible(resolve_suite([Path(file) for file in sys.argv[1:]], {}), Path()); "
        "assert not {'torch', 'timm', 'pandas', 'PIL'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, *(str(CONFIG / f"{name}.yaml") for name in files)]
    process = subprocess.run(
        command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True, check=False
    )
    assert process.stderr == ""
    assert list(tmp_path.iterdir()) == []


def other_network(**changes):
    return resolve_suite([TINY], {"backbone": {"name": "resnet10t", "init": "random"}, **changes})


def test_another_network_is_looked_at_once(tmp_path, monkeypatch):
    suite = other_network()
    refuse_impossible(suite, tmp_path / "absent")
    assert list(tmp_path.iterdir()) == []  # nothing is written where nothing was run
    refuse_impossible(suite, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [KEPT]
    shapes = suite_shapes(suite, tmp_path)
    monkeypatch.setattr("weckd.training.probe.probe", None)  # cannot be called
    assert suite_shapes(suite, tmp_path) == shapes
    (shape,) = shapes.values()
    assert (shape.stages, shape.compared, shape.problem, shape.gates) == (5, 2, "", "")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"versions": {"timm": "0"}, "networks": {}}'])
def test_what_is_kept_of_other_versions_or_damaged_is_found_anew(content, tmp_path):
    (tmp_path / KEPT).write_text(content)
    suite_shapes(other_network(), tmp_path)
    assert re.search(r'"resnet10t 32": \{\n +"activation_bytes": \d+', (tmp_path / KEPT).read_text())


def test_a_network_that_is_refused_is_not_kept(tmp_path):
    suite = resolve_suite([TINY], {"backbone": {"name": "test_resnett", "init": "random"}})
    with pytest.raises(UserError, match=r"^backbone\.name: timm has no network 'test_resnett'"):
        refuse_impossible(suite, tmp_path)
    assert '"networks": {}' in (tmp_path / KEPT).read_text()


def test_small_maps_are_no_matter_where_none_are_compared(tmp_path):
    suite = resolve_suite(
        [TINY],
        {
            "backbone": {"name": "test_vit2", "init": "random"},
            "methods": ["single", "chain-plain"],
            "analysis": {"families": [], "claims": []},
        },
    )
    refuse_impossible(suite, tmp_path)


def test_files_of_an_own_copy_are_counted_where_the_catalogue_does_not(tmp_path):
    root = tmp_path / "mine"
    for name, count in (("ill", 12), ("well", 7)):
        folder = root / "ears" / name
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number}.png").touch()
        (folder / "Thumbs.db").touch()
    entry = {
        "title": "Ears",
        "modality": "otoscopy",
        "layout": "class-folders",
        "groups": "near-duplicates",
        "licence": "CC0",
        "source": "mine",
        "folders": [{"path": ".", "official_split": ""}],
        "classes": [{"key": name, "folder": name, "title": name} for name in ("ill", "well")],
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"ears": entry}))
    suite = resolve_suite(
        [TINY],
        {
            "datasets": ["ears"],
            "catalogue": str(tmp_path / "mine.yaml"),
            "data_root": str(root),
            "analysis": {"families": [], "claims": []},
        },
    )
    with pytest.raises(UserError) as refused:
        refuse_impossible(suite, tmp_path)
    assert str(refused.value) == f"ears: class well has 7 images, {TOO_FEW}: {{ears: [well]}}"
