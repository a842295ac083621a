import errno
import hashlib

import pytest
from imitation import md5, names

from weckd.data.catalogue import ClassEntry, Download, RecordFile
from weckd.data.fetch import network

TITLE = "mine: My images cannot be downloaded from"


@pytest.fixture
def published(repositories, zipped):
    """A record on Zenodo and one on figshare: an archive, and a file that is none."""
    files = {"images.zip": zipped("Normal/1.png", "A tube/1.png"), "readme.txt": b"read me"}
    repositories.records = {"77": files, "88": files}
    return repositories


def by_hand(workplace, what="its archives", them="them", root=None):
    return (
        f"download {what} from https://doi.org/10.5281/zenodo.77 by hand and put {them} into "
        f"{root or workplace.root}/mine/"
    )


def facts(content):
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def npz_set(dataset, content, stated=None):
    return dataset(
        layout="medmnist-npz",
        classes=(ClassEntry("normal", "normal", label=0),),
        folders=(),
        download=Download(
            doi="10.5281/zenodo.77", files=(RecordFile("b_64.npz", stated or md5(content), 64),)
        ),
    )


@pytest.mark.parametrize("new", [False, True])
def test_a_record_of_zenodo_is_downloaded_and_unpacked(published, workplace, new, capsys):
    published.new_zenodo = new
    content = published.records["77"]["images.zip"]
    assert workplace.fetched() == {
        "dataset": "mine",
        "folder": str(workplace.own / "files"),
        "origin": "doi:10.5281/zenodo.77",
        "archives": {"images.zip": facts(content)},
    }
    assert names(workplace.own / "archives") == ["images.zip"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "[mine] downloading images.zip (0.0 MB) from doi:10.5281/zenodo.77\n" in printed.err
    assert "[mine] images.zip: 100%" in printed.err
    assert "[mine] unpacking images.zip\n" in printed.err


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_record_of_figshare_is_downloaded_and_unpacked(published, workplace, dataset, zipped):
    published.records["88"] = {
        "slices_1.zip": zipped(**{"1.mat": b"1"}),
        "slices_2.zip": zipped(**{"2.mat": b"2"}),
        "cvind.mat": b"not wanted",
    }
    chosen = dataset(
        layout="matlab-v73",
        folders=(),
        download=Download(doi="10.6084/m9.figshare.88", files=(RecordFile("slices*.zip"),)),
    )
    found = workplace.fetched(chosen, data_root=None)
    assert found["origin"] == "doi:10.6084/m9.figshare.88"
    assert list(found["archives"]) == ["slices_1.zip", "slices_2.zip"]
    assert names(workplace.own / "files") == ["1.mat", "2.mat"]
    assert published.asked_for("cvind.mat") == 0


def test_the_file_of_the_image_size_is_downloaded_and_used_in_place(published, workplace, dataset, npz):
    published.records["77"] = {"b_64.npz": npz, "b.npz": b"28 pixels"}
    found = workplace.fetched(npz_set(dataset, npz))
    assert found["folder"] == str(workplace.own / "archives")
    assert found["archives"] == {"b_64.npz": facts(npz)}
    asked = len(published.asked)
    assert workplace.fetched(npz_set(dataset, npz)) == found
    assert len(published.asked) == asked


def test_a_second_call_asks_nobody(published, workplace):
    first = workplace.fetched()
    published.asked.clear()
    assert workplace.fetched() == first
    assert published.asked == []


def test_a_download_that_was_removed_after_it_was_unpacked_is_not_missed(published, workplace):
    first = workplace.fetched()
    (workplace.own / "archives" / "images.zip").unlink()
    published.asked.clear()
    assert workplace.fetched() == first
    assert published.asked == []
    (workplace.own / "files" / "Normal" / "1.png").unlink()  # now it is
    assert workplace.fetched() == first
    assert published.asked_for("/images.zip") == 1


@pytest.mark.parametrize("layout", ["class-folders", "matlab-v73", "medmnist-npz"])
def test_data_root_may_be_the_folder_of_downloads(published, workplace, dataset, npz, zipped, layout):
    if layout == "medmnist-npz":
        published.records["77"] = {"b_64.npz": npz}
    chosen = npz_set(dataset, npz) if layout == "medmnist-npz" else dataset(layout=layout)
    if layout == "matlab-v73":
        published.records["77"]["images.zip"] = zipped("1.mat")
    first = workplace.fetched(chosen, data_root=workplace.downloads)
    assert first["origin"] == "doi:10.5281/zenodo.77"
    assert workplace.fetched(chosen, data_root=workplace.downloads) == first


def test_archives_that_are_there_are_not_downloaded_again(published, workplace, zipped):
    published.records["77"]["more.zip"] = zipped("Normal/2.png")
    published.broken = {"more.zip": network.TRIES}
    workplace.refused()
    assert names(workplace.own / "archives") == ["images.zip"]
    assert not (workplace.own / "files").exists()
    workplace.fetched()
    assert (published.asked_for("/images.zip"), published.asked_for("/more.zip")) == (1, network.TRIES + 1)


def test_what_a_kill_left_behind_is_removed(published, workplace):
    (workplace.own / "archives").mkdir(parents=True)
    (workplace.own / "archives" / "tmpab12_xyz").write_bytes(b"half")
    workplace.fetched()
    assert names(workplace.own / "archives") == ["images.zip"]


def test_an_archive_that_differs_from_the_record_is_downloaded_again(published, workplace):
    workplace.fetched()
    (workplace.own / "files.json").unlink()
    (workplace.own / "archives" / "images.zip").write_bytes(b"rotten")
    workplace.fetched()
    assert published.asked_for("/images.zip") == 2


@pytest.mark.parametrize("trick", ["broken", "wrong_bytes"])
def test_a_transfer_that_fails_twice_is_made_a_third_time(published, workplace, trick, capsys):
    getattr(published, trick)["images.zip"] = 2
    workplace.fetched()
    assert published.asked_for("/images.zip") == 3
    words = {
        "broken": "the connection broke off",
        "wrong_bytes": "images.zip came with another checksum than its record states",
    }
    told = capsys.readouterr().err
    assert f"[mine] {words[trick]}; trying again in 0.01 s (1 of 3 tries failed)\n" in told
    assert f"[mine] {words[trick]}; trying again in 0.02 s (2 of 3 tries failed)\n" in told


def test_a_connection_that_always_breaks_is_told_and_leaves_no_file(published, workplace):
    published.broken["images.zip"] = 3
    assert workplace.refused() == (
        f"{TITLE} doi:10.5281/zenodo.77 (the connection broke off); run again, or {by_hand(workplace)}"
    )
    assert published.asked_for("/images.zip") == 3
    assert names(workplace.own / "archives") == []


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(published, workplace):
    published.wrong_bytes["images.zip"] = 3
    assert workplace.refused() == (
        f"{TITLE} doi:10.5281/zenodo.77 (images.zip came with another checksum than its record states); run again "
        f"later, or {by_hand(workplace)}"
    )
    assert published.asked_for("/images.zip") == 3
    assert names(workplace.own / "archives") == []


def test_another_checksum_than_the_catalogues_is_refused_before_the_download(
    published, workplace, dataset, npz
):
    published.records["77"] = {"b_64.npz": npz}
    assert workplace.refused(npz_set(dataset, npz, stated="0" * 32)) == (
        f"{TITLE} doi:10.5281/zenodo.77 (the record's b_64.npz has the md5:{md5(npz)[:12]}…, the catalogue says "
        "md5:000000000000…); compare the record with the catalogue, or "
        f"{by_hand(workplace, 'b_64.npz', 'it')}"
    )
    assert published.asked_for(".npz") == 0


def test_a_download_that_is_not_the_recorded_one_is_refused(published, workplace):
    found = facts(published.records["77"]["images.zip"])["sha256"]
    message = workplace.refused(recorded={"images.zip": "0" * 64})
    assert message == (
        f"{workplace.own}/archives/images.zip: its SHA-256 is {found[:12]}…, datasets.lock records 000000000000…; "
        "replace it by the file that is recorded, or remove its entry from datasets.lock if another version is meant"
    )
    assert not (workplace.own / "files").exists()
    assert workplace.fetched(recorded={"images.zip": found})["archives"]["images.zip"]["sha256"] == found


def test_an_unpacked_copy_that_is_not_the_recorded_one_is_downloaded_anew(
    published, workplace, zipped, capsys
):
    (workplace.root / "mine.zip").write_bytes(zipped("Normal/old.png"))
    workplace.fetched()
    (workplace.root / "mine.zip").unlink()
    assert workplace.fetched(recorded={"mine.zip": "0" * 64})["origin"] == "doi:10.5281/zenodo.77"
    assert "[mine] what was unpacked before is not used: " in capsys.readouterr().err
    assert names(workplace.own / "files") == ["A tube", "Normal"]


def test_a_copy_of_another_source_is_not_used(published, workplace, dataset):
    workplace.fetched()
    other = dataset(download=Download(doi="10.6084/m9.figshare.88"))
    assert workplace.fetched(other)["origin"] == "doi:10.6084/m9.figshare.88"


@pytest.mark.parametrize("host", ["doi.org", "zenodo.org", "api.figshare.com"])
def test_without_a_network_every_way_to_go_on_is_told(published, workplace, dataset, host):
    published.offline.add(host)
    doi = "10.6084/m9.figshare.88" if "figshare" in host else "10.5281/zenodo.77"
    assert workplace.refused(dataset(download=Download(doi=doi)), data_root=None) == (
        f"{TITLE} doi:{doi} (no connection to {host}); connect this machine to the network and run again, or "
        f"{by_hand(workplace, root=workplace.downloads)}, or name the folder that holds mine/ with --config "
        "data_root=FOLDER of snakemake (--data-root FOLDER of `weckd fetch`)"
    )
    assert sum(f"//{host}/" in url for url in published.asked) == 3


def test_a_server_that_does_not_answer_is_told(published, workplace, monkeypatch):
    import requests

    def silent(*_, **__):
        raise requests.ReadTimeout(request=requests.Request("GET", "https://zenodo.org/x").prepare())

    monkeypatch.setattr(requests, "get", silent)
    assert "(zenodo.org did not answer in 30 s); run again later, or " in workplace.refused()


def test_a_record_that_is_not_there_is_not_asked_for_twice(published, workplace):
    del published.records["77"]
    assert workplace.refused() == (
        f"{TITLE} doi:10.5281/zenodo.77 (doi.org answered 404 Not Found); correct its address in the catalogue if it "
        f"has moved, or {by_hand(workplace)}"
    )
    assert len(published.asked) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(published, workplace, status):
    published.statuses["/images.zip"] = (status, 2)
    workplace.fetched()
    assert published.asked_for("/images.zip") == 3


def test_a_server_that_stays_in_trouble_is_told(published, workplace):
    published.statuses["/images.zip"] = (500, 99)
    assert "(zenodo.org answered 500 Internal Server Error); run again later, or " in workplace.refused()
    assert published.asked_for("/images.zip") == 3
    assert names(workplace.own / "archives") == []


@pytest.mark.parametrize(
    ("doi", "end"), [("10.5281/zenodo.77", "records/77"), ("10.6084/m9.figshare.88", "articles")]
)
def test_an_answer_that_cannot_be_read_is_told(published, workplace, dataset, doi, end):
    published.no_json.add(f"api/{end}" if "zenodo" in doi else end)
    message = workplace.refused(dataset(download=Download(doi=doi)))
    remedy = "log in to this network if a browser is asked to, or run again from another network"
    assert f"(a web page came in place of the repository's answer); {remedy}, or " in message


@pytest.mark.parametrize(
    ("status", "answer", "remedy"),
    [
        (404, "404 Not Found", "correct its address in the catalogue if it has moved"),
        (410, "410 Gone", "look at its page for what has taken its place"),
        (429, "429 Too Many Requests", "run again later"),
        (503, "503 Service Unavailable", "run again later"),
    ],
)
def test_an_api_that_answers_with_an_error_is_told(published, workplace, status, answer, remedy):
    published.statuses["api/records/77"] = (status, 99)
    assert f"(zenodo.org answered {answer}); {remedy}, or " in workplace.refused()
    assert published.asked_for("api/records/77") == (1 if status < 429 else network.TRIES)


def test_an_api_whose_answer_lacks_what_is_needed_is_told(published, workplace):
    published.statuses["api/records/77"] = (200, 99)
    assert "(the answer of the repository cannot be read); run again later, or " in workplace.refused()


def test_records_without_what_is_wanted_are_refused(published, workplace, dataset):
    look = "compare the record with the catalogue"
    wanted = dataset(download=Download(doi="10.5281/zenodo.77", files=(RecordFile("*.tar"),)))
    assert workplace.refused(wanted) == (
        f"{TITLE} doi:10.5281/zenodo.77 (the record holds no *.tar, it holds images.zip, readme.txt); {look}, or "
        f"{by_hand(workplace, '*.tar', 'it')}"
    )
    del published.records["77"]["images.zip"]
    assert (
        f"(the record holds no zip or tar archive, it holds readme.txt); {look}, or " in workplace.refused()
    )
    assert published.asked_for("readme.txt") == 0


@pytest.mark.parametrize("name", ["../evil.zip", "a\\evil.zip"])
def test_names_that_lead_elsewhere_are_refused(published, workplace, name):
    published.records["77"][name] = b"evil"
    assert f"(the record holds a file named {name!r}); compare the record" in workplace.refused()


def test_a_full_disk_is_told_before_the_download(published, workplace, monkeypatch):
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr("weckd.files.shutil.disk_usage", lambda _: usage)
    assert workplace.refused() == (
        f"{workplace.own}/archives: needs 0 MB, 0 MB are free; free some space, or choose another disk"
    )
    assert published.asked_for("/images.zip") == 0


def test_a_disk_that_runs_full_is_told_and_nothing_is_kept(published, workplace, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("weckd.data.fetch.repository.save", full)
    assert workplace.refused() == (
        f"{workplace.own}/archives: cannot be written (No space left on device); free some space, or choose another "
        "disk"
    )
    assert names(workplace.own / "archives") == []


def test_a_folder_that_holds_something_else_is_told_before_the_download(published, workplace, capsys):
    (workplace.root / "mine" / "Norml").mkdir(parents=True)
    workplace.fetched()
    assert capsys.readouterr().err.startswith(
        f"[mine] {workplace.root}/mine holds neither its class folders (Normal, A tube) nor an archive\n"
    )


def test_a_file_in_the_place_of_the_folder_is_told_before_the_download(published, workplace, capsys):
    (workplace.root / "mine").write_bytes(b"")
    workplace.fetched()
    assert capsys.readouterr().err.startswith(
        f"[mine] {workplace.root}/mine holds neither its class folders (Normal, A tube) nor an archive\n"
    )


def test_importing_fetch_imports_no_client():
    import subprocess
    import sys

    code = (
        "import sys, weckd.data.fetch; print({'pooch', 'kagglehub', 'requests', 'tqdm'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
