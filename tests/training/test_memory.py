"""What training jobs need of memory, and what there is."""

import platform
import resource
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from engine import TINY

from weckd.config import BackboneSettings
from weckd.errors import UserError
from weckd.methods.fits import Fit, Initial
from weckd.methods.losses import Distillation, FixMatch, MeanTeacher, Mismatched, Mutual, Temperature
from weckd.run_files import RunFiles
from weckd.suite_file import resolve_suite
from weckd.training import limits
from weckd.training.limits import Need, Shape, host_memory, job_need, refuse_job, refuse_lack_of_memory

SUITE = resolve_suite([TINY], {})  # batches of 8 images of 32 x 32
OTHER = BackboneSettings("resnet10t", "random")
SHAPES = {
    SUITE.backbone: Shape(weights_bytes=1_000_000, activation_bytes=200_000),
    OTHER: Shape(weights_bytes=20_000_000, activation_bytes=500_000),
}
PLAIN = Fit(("D1",), 10)
VIEW = 2 * 4 * 3 * 32 * 32 + 48 * 10  # as drawn and as normalised; its place, label and augmentation, a step
PROCESS = 500_000_000


def need(*fits, images=()):
    return job_need(SUITE, fits, SHAPES, dict(images))


def test_a_step_needs_activations_of_its_views_and_four_times_the_weights():
    assert need(PLAIN) == Need(PROCESS + 4_000_000, 200_000 + VIEW)
    assert need(PLAIN).of(8) == PROCESS + 4_000_000 + 8 * (200_000 + VIEW)
    mutual = replace(PLAIN, loss=Mutual(Initial(2), 1.0))
    assert need(mutual) == Need(PROCESS + 8_000_000, 2 * (200_000 + VIEW))


def test_teachers_are_held_and_averages_keep_nothing_for_gradients():
    teacher = replace(PLAIN, backbone=OTHER)
    taught = replace(
        PLAIN, teachers=(teacher,), loss=Distillation(0.5, 1.0, Temperature("constant", 4.0, 4.0))
    )
    assert need(taught) == Need(PROCESS + 4_000_000 + 20_000_000, 200_000 + VIEW)
    untrained = replace(taught, teachers=(Initial(1),))
    assert need(untrained) == Need(PROCESS + 4_000_000 + 1_000_000, 200_000 + VIEW)
    of_another = replace(taught, loss=Mismatched(**vars(taught.loss)))
    assert (
        need(of_another).an_image == 200_000 + VIEW + 2 * 4 * 3 * 32 * 32
    )  # and the other, drawn and normalised
    fixmatch = replace(PLAIN, loss=FixMatch(2, 1.0, 0.95), unlabelled=("rest",))
    assert need(fixmatch).an_image == 5 * (200_000 + VIEW)  # labelled, two weak and two strong
    average = replace(PLAIN, loss=MeanTeacher(2, 1.0, 0.3, 0.99, 0.1), unlabelled=("rest",))
    assert need(average).an_image == 3 * (200_000 + VIEW)


def test_the_fit_that_needs_most_and_the_largest_data_set_count():
    larger = replace(PLAIN, backbone=OTHER)
    images = {"a": 100, "b": 1000}
    assert need(PLAIN, larger, PLAIN, images=images.items()) == Need(
        PROCESS + 1000 * 32 * 32 * 3 + 80_000_000, 500_000 + VIEW
    )


def refused(batch_size, there, images=None, found=None):
    suite = replace(SUITE, training=replace(SUITE.training, batch_size=batch_size))
    with pytest.raises(UserError) as told:
        refuse_lack_of_memory(suite, found or Need(10**9, 10**6), images or {}, there)
    return str(told.value)


def test_batches_that_memory_holds_pass_and_larger_ones_name_what_fits():
    suite = replace(SUITE, training=replace(SUITE.training, batch_size=1000))
    refuse_lack_of_memory(suite, Need(10**9, 10**6), {}, 2 * 10**9)
    assert refused(100_000, 20 * 10**9) == (
        "training.batch_size: steps on 100,000 images need about 101.0 GB of memory, there are 20.0 GB; "
        "use 19,000 or fewer, or a smaller image_size or backbone"
    )


def test_images_that_no_batch_fits_name_their_size():
    assert refused(8, 10**9, found=Need(10**9, 6 * 10**9)) == (
        "image_size: steps on two images of 32 px need about 13.0 GB of memory, there are 1.0 GB; "
        "use a smaller image_size or backbone"
    )


def test_data_sets_that_memory_cannot_hold_name_themselves():
    images = {"ears": 10, "cells": 10**6}
    assert refused(8, 10**9, images, Need(10**6 * 3072, 10**6)) == (
        "image_size: the 1,000,000 images of cells take 3.1 GB at 32 px, all of which a training job holds in memory; "
        "there are 1.0 GB; use a smaller image_size"
    )


def test_a_job_looks_for_itself(tmp_path, monkeypatch):
    key, run = "phantom_brain_mri", RunFiles(tmp_path / "results" / "toy")
    suite = replace(SUITE, training=replace(SUITE.training, batch_size=100_000))
    run.prepared(suite, key).mkdir(parents=True)
    (run.prepared(suite, key) / "images.npy").write_bytes(bytes(3072 * 10))
    place = (run, key, [PLAIN], torch.device("cpu"))
    there = iter([None, 10**12, 20 * 10**9])
    monkeypatch.setattr(limits, "host_memory", lambda: next(there))
    refuse_job(suite, *place)
    refuse_job(suite, *place)
    with pytest.raises(
        UserError,
        match=r"^training\.batch_size: steps on 100,000 images need about 27\.\d GB of memory, there are 20",
    ):
        refuse_job(suite, *place)
    wrong = replace(suite, backbone=BackboneSettings("vit_tiny_patch16_224", "random"))
    with pytest.raises(
        UserError, match=r"^image_size: vit_tiny_patch16_224 takes no images of 32 px \(Input height \(32\)"
    ):
        refuse_job(wrong, *place)


def machine(folder, **files):
    """Make a /proc and control groups; names of files have two underscores for each slash."""
    for name, text in {"proc__meminfo": "MemTotal:       1000000 kB\nMemFree: 1 kB\n", **files}.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return host_memory(folder / "proc", folder / "groups")


def test_memory_is_the_machines_where_nothing_limits_it(tmp_path):
    assert machine(tmp_path) == 1_024_000_000
    assert host_memory(tmp_path / "absent", tmp_path) is None


def test_control_groups_of_version_two_limit_it_at_any_level(tmp_path):
    limits = {
        "proc__self__cgroup": "0::/batch/job7\n",
        "groups__batch__job7__memory.max": "max\n",
        "groups__batch__memory.max": "700000000\n",
    }
    assert machine(tmp_path, **limits) == 700_000_000
    assert (
        machine(tmp_path, groups__batch__job7__memory__x="", **{"groups__memory.max": "600000000"})
        == 600_000_000
    )


def test_control_groups_of_version_one_limit_it_too(tmp_path):
    limits = {
        "proc__self__cgroup": "5:devices:/\n4:memory:/docker/ab\n",
        "groups__memory__memory.limit_in_bytes": "9223372036854771712\n",
        "groups__memory__docker__ab__memory.limit_in_bytes": "500000000\n",
    }
    assert machine(tmp_path, **limits) == 500_000_000


def test_the_shells_limit_of_addresses_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (400_000_000, resource.RLIM_INFINITY))
    assert machine(tmp_path) == 400_000_000


AGAIN = """
import platform
import resource
import subprocess
import sys
import torch
from weckd.training.networks import keep_memory
assert keep_memory()
for _ in range(5):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)  # 64 MiB, more than malloc keeps by itself
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than GNU's")
def test_memory_that_was_freed_is_had_again_without_the_system():
    ran = subprocess.run([sys.executable, "-c", AGAIN], capture_output=True, text=True, check=True)
    assert int(ran.stdout.split()[-1]) < 16  # page faults; there are 16,384 pages
