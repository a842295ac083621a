import os
import shutil
from collections import namedtuple

import pytest

from weckd.doctor import machine
from weckd.doctor.machine import machine_findings, shared_memory, writable
from weckd.training.limits import memory_of_system

Usage = namedtuple("Usage", "total used free")


def level_of(findings, what):
    [finding] = [finding for finding in findings if finding.what == what]
    return finding


def test_free_memory_is_read_from_the_system(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal:       24690000 kB\nMemAvailable:   10240000 kB\n")
    assert memory_of_system("MemAvailable", tmp_path) == [10000 * 2**20]
    assert memory_of_system("MemAvailable", tmp_path / "absent") == []


@pytest.mark.parametrize(("free", "level"), [(3999, "bad"), (4000, "note"), (8000, "ok")])
def test_memory_is_held_against_what_the_jobs_may_take(free, level, monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "memory_of_system", lambda _: [free * 2**20])
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    finding = level_of(machine_findings(tmp_path, 0), "cores and memory")
    assert (finding.level, finding.found) == (level, f"2 cores, {free:,} MB free")
    if level == "note":
        assert finding.remedy.endswith("limit the jobs with --cores 1")


@pytest.mark.parametrize(("needed", "level"), [(5_000_000_000, "ok"), (5_000_000_001, "bad")])
def test_the_disk_is_held_against_the_plan(needed, level, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 5_000_000_000))
    finding = level_of(machine_findings(tmp_path, needed), "disk")
    assert finding.level == level
    assert "5.0 GB free, about 5.0 GB needed" in finding.found


def test_too_little_shared_memory_is_told(tmp_path, monkeypatch):
    assert shared_memory(tmp_path).level == "ok"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 1000))
    assert shared_memory(tmp_path).level == "bad"
    assert shared_memory(tmp_path / "absent").level == "note"


def test_a_folder_that_is_none_cannot_be_written(tmp_path):
    assert writable(tmp_path).level == "ok"
    assert list(tmp_path.iterdir()) == []  # the file of the check is gone
    (tmp_path / "file").write_text("in the way")
    finding = writable(tmp_path / "file")
    assert finding.level == "bad"
    assert f"{tmp_path}/file: cannot be written by user {os.getuid()}" in finding.found


def test_each_folder_of_a_run_that_is_there_is_tried(tmp_path):
    (tmp_path / "results").mkdir()
    tried = {finding.what for finding in machine_findings(tmp_path, 0)}
    assert "folder results" in tried
    assert "folder data" not in tried
