"""Keys and tokens of the environment reach no file of a run, and nothing that it prints.

What a download prints and records is held by tests/data/fetch, the object store's keys on a cluster by
tests/clusters/test_kubernetes_profile.py.
"""

import pytest
from engine import IMAGE, KEYS, snakemake
from loopback import Handler, Loopback

pytestmark = pytest.mark.workflow
NARROWED = ("datasets=[phantom_brain_mri]", "seeds=[1]", "methods=[weckd,single,majority]")


def holding(folder, text):
    """Return the files below a folder whose bytes hold a text."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(str(file.relative_to(folder)) for file in files if text.encode() in file.read_bytes())


def test_keys_of_the_environment_are_in_no_file_and_in_no_output(finished):
    folder, output = finished
    assert "sentinel" not in output
    assert holding(folder, "sentinel") == []
    made = {
        "report.html",
        "suite.json",
        "ro-crate-metadata.json",
        "manifests/phantom_brain_mri/seeds1-2.json",
    }
    run = folder / "results/tiny"
    assert {str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()} > made
    assert list(folder.glob("results/fits/*/*/record.json"))
    assert list(folder.glob(".snakemake/log/*.log"))
    # The image is recorded: the environment did reach the run.
    assert "results/tiny/ro-crate-metadata.json" in holding(folder, IMAGE)


def test_keys_are_not_printed_where_a_job_fails_and_everything_is_told(monkeypatch, tmp_path):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    in_the_way = tmp_path / "results" / "data" / "phantom_brain_mri-32px"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_text("a file where a folder has to be")
    done = snakemake(tmp_path, "--cores", "2", "--verbose", "--printshellcmds", "--config", *NARROWED)
    assert done.returncode != 0
    assert "sentinel" not in done.stdout
    assert holding(tmp_path, "sentinel") == []


CATALOGUE = """
mine:
  title: My images
  modality: otoscopy
  licence: none stated
  source: https://example.org/mine
  layout: class-folders
  groups: near-duplicates
  folders: [{path: ".", official_split: ""}]
  download: {kaggle: someone/ears, version: 2}
  classes: [{key: a, title: A, folder: a}, {key: b, title: B, folder: b}]
"""


class RefusingProxy(Handler):
    def do_CONNECT(self):  # noqa: N802 - as http.server calls it
        self.send(407, b"")


def test_what_a_download_needs_is_not_printed_where_the_proxy_refuses_it(
    monkeypatch, tmp_path, tmp_path_factory
):
    home = tmp_path_factory.mktemp("home")
    (home / ".kaggle").mkdir()
    (home / ".kaggle" / "access_token").write_text("sentinel-of-access_token")
    (home / "mine.yaml").write_text(CATALOGUE)
    monkeypatch.setenv("HOME", str(home))
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    changes = (f"catalogue={home}/mine.yaml", "datasets=[mine]", *NARROWED[1:])
    with Loopback(RefusingProxy) as proxy:
        place = proxy.url.removeprefix("http://")
        monkeypatch.setenv("HTTPS_PROXY", f"http://sentinel-of-user:sentinel-of-password@{place}")
        done = snakemake(tmp_path, "--cores", "2", "--verbose", "--printshellcmds", "--config", *changes)
    assert done.returncode != 0
    assert (
        "mine: My images cannot be downloaded from kaggle:someone/ears/versions/2 (the proxy "
        f"{place} of HTTPS_PROXY answered 407 Proxy Authentication Required); correct HTTPS_PROXY, or unset it, or "
    ) in done.stdout
    assert "sentinel" not in done.stdout
    assert holding(tmp_path, "sentinel") == []
