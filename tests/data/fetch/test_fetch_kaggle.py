import errno
import hashlib
import json

import pytest
from imitation import names

from weckd.data.catalogue import Download

PAGE = "https://www.kaggle.com/datasets/someone/ears"
GIVE = "set KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, or put access_token or kaggle.json into ~/.kaggle"


@pytest.fixture
def ears(dataset):
    return dataset(source=PAGE, download=Download(kaggle="someone/ears"))


@pytest.fixture
def published(repositories, zipped):
    repositories.kaggle["someone/ears"] = zipped("Normal/1.png", "A tube/1.png")
    return repositories


@pytest.fixture
def credentials(monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "secret-key")


@pytest.fixture(autouse=True)
def no_secret_is_printed(capfd):
    """Whatever happens, neither keys nor signed addresses are printed."""
    yield
    assert "secret" not in "".join(capfd.readouterr())


def refusal(workplace, reason, remedy, version="", **kwargs):
    root = workplace.root if kwargs.get("data_root", True) else workplace.downloads
    own = (
        ""
        if kwargs.get("data_root", True)
        else ", or name the folder that holds mine/ with --config data_root=FOLDER of snakemake (--data-root FOLDER of "
        "`weckd fetch`)"
    )
    what, archive = "kaggle:someone/ears", "archive"
    if version:
        what, archive = f"{what}/versions/{version}", f"archive (version {version})"
    return (
        f"mine: My images cannot be downloaded from {what} ({reason}); {remedy}, or download its {archive} from "
        f"{PAGE} by hand and save it as {root}/mine.zip{own}"
    )


@pytest.mark.usefixtures("credentials")
def test_an_archive_is_downloaded_and_unpacked(published, workplace, ears, capfd):
    content = published.kaggle["someone/ears"]
    found = workplace.fetched(ears)
    assert found == {
        "dataset": "mine",
        "folder": str(workplace.own / "files"),
        "origin": "kaggle:someone/ears",
        "archives": {"mine.zip": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}},
    }
    assert names(workplace.own / "archives") == ["mine.zip"]
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "secret" not in printed.err
    assert printed.err.startswith(
        "[mine] downloading mine.zip (0.0 MB) from kaggle:someone/ears/versions/3\n"
    )
    published.asked.clear()
    assert workplace.fetched(ears) == found
    assert published.asked == []


def test_credentials_in_a_file_are_found(published, workplace, ears, tmp_path):
    (tmp_path / "home" / ".kaggle").mkdir(parents=True)
    content = json.dumps({"username": "someone", "key": "secret-key"})
    (tmp_path / "home" / ".kaggle" / "kaggle.json").write_text(content)
    assert workplace.fetched(ears)["origin"] == "kaggle:someone/ears"


@pytest.mark.parametrize("place", ["variable", "named file", "access_token", "access_token.txt"])
def test_a_token_is_found_wherever_kaggle_says_that_it_belongs(
    published, workplace, ears, monkeypatch, tmp_path, place
):
    published.authorization = "Bearer secret-token"
    file = tmp_path / "home" / ".kaggle" / ("access_token.txt" if place.endswith("txt") else "access_token")
    if place != "variable":
        file.parent.mkdir(parents=True)
        file.write_text("secret-token\n")
    if place in ("variable", "named file"):
        file = file.rename(tmp_path / "elsewhere") if file.exists() else file
        monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token" if place == "variable" else str(file))
    assert workplace.fetched(ears)["origin"] == "kaggle:someone/ears"
    written = [file for file in workplace.downloads.rglob("*") if file.is_file()]
    assert not [file for file in written if b"secret" in file.read_bytes()]


def test_a_version_that_the_catalogue_pins_is_downloaded_recorded_and_told(
    published, workplace, ears, dataset, zipped, monkeypatch, credentials, capfd
):
    workplace.fetched(ears)  # the newest, which is another
    published.kaggle_versions = {2: zipped("Normal/old.png")}
    pinned = dataset(source=PAGE, download=Download(kaggle="someone/ears", version=2))
    found = workplace.fetched(pinned)
    content = published.kaggle_versions[2]
    assert found == {
        "dataset": "mine",
        "folder": str(workplace.own / "files"),
        "origin": "kaggle:someone/ears/versions/2",
        "archives": {"mine.zip": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}},
    }
    assert names(workplace.own / "files" / "Normal") == ["old.png"]
    assert (
        "[mine] downloading mine.zip (0.0 MB) from kaggle:someone/ears/versions/2\n" in capfd.readouterr().err
    )
    published.asked.clear()
    assert workplace.fetched(pinned) == found
    assert published.asked == []
    assert workplace.fetched(ears)["origin"] == "kaggle:someone/ears"
    assert names(workplace.own / "files" / "Normal") == ["1.png"]


@pytest.mark.usefixtures("credentials")
def test_a_version_that_kaggle_does_not_have_is_told(published, workplace, dataset):
    pinned = dataset(source=PAGE, download=Download(kaggle="someone/ears", version=9))
    reason, remedy = "Kaggle has no someone/ears/versions/9", "correct its name in the catalogue"
    assert workplace.refused(pinned) == refusal(workplace, reason, remedy, "9")
    assert len(published.asked) == 1


@pytest.mark.parametrize("data_root", [True, False])
def test_without_credentials_every_way_to_go_on_is_told(published, workplace, ears, data_root):
    kwargs = {} if data_root else {"data_root": None}
    message = workplace.refused(ears, **kwargs)
    assert message == refusal(workplace, "it needs Kaggle credentials", GIVE, **kwargs)
    assert published.asked == []


def test_an_archive_put_where_the_message_says_is_used(published, workplace, ears):
    workplace.refused(ears, data_root=None)
    (workplace.downloads / "mine.zip").write_bytes(published.kaggle["someone/ears"])
    assert workplace.fetched(ears, data_root=None)["origin"] == "local archive"


@pytest.mark.parametrize("content", ["{'secret", '{"username": "secret"}', "5"])
def test_credentials_that_cannot_be_read_are_told(published, workplace, ears, tmp_path, content):
    (tmp_path / "home" / ".kaggle").mkdir(parents=True)
    (tmp_path / "home" / ".kaggle" / "kaggle.json").write_text(content)
    assert workplace.refused(ears) == refusal(workplace, "kaggle.json cannot be read", GIVE)


@pytest.mark.parametrize("place", ["variable", "file"])
def test_a_token_that_cannot_be_read_is_told(published, workplace, ears, monkeypatch, tmp_path, place):
    if place == "variable":
        monkeypatch.setenv(
            "KAGGLE_API_TOKEN", "secret" * 1000
        )  # taken for the name of a file, it is too long
    else:
        (tmp_path / "home" / ".kaggle" / "access_token").mkdir(parents=True)
    reason = "neither KAGGLE_API_TOKEN nor ~/.kaggle/access_token can be read"
    assert workplace.refused(ears) == refusal(workplace, reason, GIVE)
    assert published.asked == []


@pytest.mark.parametrize("given", [{"KAGGLE_API_TOKEN": "secret…"}, {"KAGGLE_API_TOKEN": "secret\n"}, "file"])
def test_credentials_that_cannot_be_sent_are_told(published, workplace, ears, monkeypatch, tmp_path, given):
    if given == "file":
        (tmp_path / "home" / ".kaggle").mkdir(parents=True)
        (tmp_path / "home" / ".kaggle" / "kaggle.json").write_text('{"username": "secret", "key": 5}')
    else:
        monkeypatch.setenv(*next(iter(given.items())))
    reason = "the Kaggle credentials hold characters that none have"
    assert workplace.refused(ears) == refusal(workplace, reason, GIVE)
    assert published.asked == []


@pytest.mark.usefixtures("credentials")
def test_a_data_set_that_asks_for_consent_is_told(published, workplace, ears):
    published.statuses["DownloadDataset"] = (403, 1)
    reason = "Kaggle denies these credentials the data set with 403"
    remedy = "log in to its page as the same user and accept what it asks for"
    assert workplace.refused(ears) == refusal(workplace, reason, remedy)
    assert len(published.asked) == 2


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("GetDataset", "a web page came in place of the repository's answer"),
        ("someone/ears", "storage.googleapis.com sent a web page in place of the file"),
    ],
)
def test_a_login_page_in_place_of_an_answer_is_told(published, workplace, ears, end, reason):
    published.no_json.add(end)
    remedy = "log in to this network if a browser is asked to, or run again from another network"
    assert workplace.refused(ears) == refusal(workplace, reason, remedy)
    assert names(workplace.own / "archives") == []


def test_credentials_that_kaggle_refuses_are_told(published, workplace, ears, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "someone")
    monkeypatch.setenv("KAGGLE_KEY", "another-secret")
    assert workplace.refused(ears) == refusal(workplace, "Kaggle refuses the credentials with 401", GIVE)
    assert len(published.asked) == 1


@pytest.mark.usefixtures("credentials")
def test_a_set_that_is_gone_is_told(published, workplace, ears):
    published.kaggle.clear()
    reason, remedy = "Kaggle has no someone/ears", "correct its name in the catalogue"
    assert workplace.refused(ears) == refusal(workplace, reason, remedy)
    assert len(published.asked) == 1


@pytest.mark.usefixtures("credentials")
def test_a_transfer_that_fails_twice_is_made_a_third_time(published, workplace, ears):
    published.broken["someone/ears"] = 1
    published.wrong_bytes["someone/ears"] = 2
    workplace.fetched(ears)
    assert published.asked_for("/someone/ears") == 3


@pytest.mark.usefixtures("credentials")
@pytest.mark.parametrize(
    ("trick", "reason", "remedy"),
    [
        ("broken", "the connection broke off", "run again"),
        ("wrong_bytes", "the archive came with another checksum than stated", "run again later"),
    ],
)
def test_a_transfer_that_always_fails_is_told_and_leaves_no_file(
    published, workplace, ears, trick, reason, remedy
):
    getattr(published, trick)["someone/ears"] = 3
    assert workplace.refused(ears) == refusal(workplace, reason, remedy)
    assert published.asked_for("/someone/ears") == 3
    assert names(workplace.own / "archives") == []


@pytest.mark.usefixtures("credentials")
def test_without_a_network_it_is_told(published, workplace, ears):
    published.offline.add("api.kaggle.com")
    reason, remedy = "no connection to api.kaggle.com", "connect this machine to the network and run again"
    assert workplace.refused(ears) == refusal(workplace, reason, remedy)
    assert len(published.asked) == 3


@pytest.mark.usefixtures("credentials")
def test_what_a_kill_left_behind_is_removed(published, workplace, ears):
    (workplace.own / "archives").mkdir(parents=True)
    (workplace.own / "archives" / ".mine.zip.abc.zip").write_bytes(b"half")
    workplace.fetched(ears)
    assert names(workplace.own / "archives") == ["mine.zip"]


@pytest.mark.usefixtures("credentials")
def test_a_full_disk_is_told_before_the_download(published, workplace, ears, monkeypatch):
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr("weckd.files.shutil.disk_usage", lambda _: usage)
    assert workplace.refused(ears) == (
        f"{workplace.own}/archives: needs 0 MB, 0 MB are free; free some space, or choose another disk"
    )


@pytest.mark.usefixtures("credentials")
def test_a_disk_that_runs_full_is_told_and_nothing_is_kept(published, workplace, ears, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("weckd.data.fetch.kaggle.save", full)
    assert workplace.refused(ears) == (
        f"{workplace.own}/archives/mine.zip: cannot be written (No space left on device); free some space, or choose "
        "another disk"
    )
    assert names(workplace.own / "archives") == []


@pytest.mark.usefixtures("credentials")
def test_a_silent_server_is_not_waited_for_without_an_end(published, workplace, ears, monkeypatch):
    from requests.adapters import HTTPAdapter

    timeouts = []
    imitated = HTTPAdapter.send

    def send(adapter, request, *args, **kwargs):
        timeouts.append(kwargs["timeout"])
        return imitated(adapter, request, *args, **kwargs)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    workplace.fetched(ears)
    assert timeouts == [30.0, 30.0, 30.0]
