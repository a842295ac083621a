import hashlib
import io
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
from imitation import serve
from PIL import Image
from weights_words import NAME, REPOSITORY

from weckd.data.catalogue import ClassEntry, Dataset, Download, SourceFolder
from weckd.data.fetch import fetch
from weckd.data.weights import fetch_weights
from weckd.errors import UserError


@pytest.fixture
def repositories(monkeypatch):
    """The repositories' imitation; nothing else can be reached, and nobody waits between two tries."""
    from weckd.data.fetch import network

    monkeypatch.setattr(network, "PAUSE", 0.01)
    imitation, stop = serve(monkeypatch)
    yield imitation
    stop()


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch, tmp_path):
    """Nobody's real credentials are read."""
    hub = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE")
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", *hub):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "home" / ".kaggle"))


@pytest.fixture
def dataset():
    """Return a function that makes a data set of two class folders."""

    def make(**changes):
        values = {
            "key": "mine",
            "title": "My images",
            "modality": "otoscopy",
            "layout": "class-folders",
            "groups": "near-duplicates",
            "classes": (ClassEntry("normal", "normal", "Normal"), ClassEntry("tube", "tube", "A tube")),
            "folders": (SourceFolder(".", ""),),
            "source": "https://doi.org/10.5281/zenodo.77",
            "download": Download(doi="10.5281/zenodo.77"),
        }
        return Dataset(**{**values, **changes})

    return make


@pytest.fixture
def workplace(tmp_path, dataset):
    """Folders of a user, a call of fetch in them, and how it is refused."""
    root, downloads, out = tmp_path / "root", tmp_path / "downloads", tmp_path / "out" / "source.json"
    root.mkdir(exist_ok=True)

    def fetched(chosen=None, recorded=None, data_root=root, image_size=64):
        fetch(chosen or dataset(), image_size, data_root, downloads, recorded or {}, out)
        found = json.loads(out.read_text())
        places = {"data_root": str(data_root) if data_root else None, "downloads": str(downloads)}
        assert found.pop("looked_in") == places
        return found

    def refused(*args, **kwargs):
        with pytest.raises(UserError) as problem:
            fetched(*args, **kwargs)
        assert not out.exists()
        return str(problem.value)

    return SimpleNamespace(
        root=root, downloads=downloads, own=downloads / "mine", fetched=fetched, refused=refused
    )


@pytest.fixture
def png():
    """Return the bytes of a small image."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (200, 10, 10)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def zipped(png):
    """Return a function that makes the bytes of a zip: of images below names, or of given members."""

    def make(*names, **members):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), png + name.encode())
            for name, content in members.items():
                archive.writestr(zipfile.ZipInfo(name), content)
        return stream.getvalue()

    return make


@pytest.fixture
def npz():
    """Return the bytes of a tiny npz."""
    stream = io.BytesIO()
    np.savez(stream, train_images=np.zeros((1, 2, 2, 3), np.uint8))
    return stream.getvalue()


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a safetensors file of the smallest network of timm."""
    import timm
    from safetensors.torch import save_file

    file = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    return file.read_bytes()


@pytest.fixture
def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub(repositories, content, monkeypatch, tmp_path):
    """The hub's imitation; this machine's settings of the hub's client do not count."""
    from huggingface_hub import constants

    template = "https://huggingface.co/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "home" / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", False)
    repositories.hub[REPOSITORY] = content
    return repositories


@pytest.fixture
def no_secret_is_printed(capfd):
    """Whatever happens, neither tokens nor signed addresses are printed."""
    yield
    assert "secret" not in "".join(capfd.readouterr())


@pytest.fixture
def place(tmp_path):
    """Folders of a user, a call of fetch_weights in them, and how it is refused."""
    root, downloads, out = tmp_path / "root", tmp_path / "downloads", tmp_path / "out" / "weights.json"
    root.mkdir(exist_ok=True)

    def fetched(name=NAME, recorded=None, data_root=root):
        fetch_weights(name, data_root, downloads, recorded, out)
        return json.loads(out.read_text())

    def refused(*args, **kwargs):
        with pytest.raises(UserError) as problem:
            fetched(*args, **kwargs)
        assert not out.exists()
        assert "secret" not in str(problem.value)
        return str(problem.value)

    def put(folder, written):
        (folder / "weights").mkdir(parents=True, exist_ok=True)
        file = folder / "weights" / f"{NAME}.safetensors"
        file.write_bytes(written)
        return file

    return SimpleNamespace(
        root=root,
        downloads=downloads,
        own=downloads / "weights",
        file=downloads / "weights" / f"{NAME}.safetensors",
        out=out,
        fetched=fetched,
        refused=refused,
        put=put,
    )
