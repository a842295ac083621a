"""The repositories' APIs on the loopback: what the real clients ask is answered, and sometimes with a trick."""

import base64
import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter

HOSTS = (
    "doi.org",
    "zenodo.org",
    "figshare.com",
    "api.figshare.com",
    "ndownloader.figshare.com",
    "api.kaggle.com",
    "storage.googleapis.com",
    "huggingface.co",
    "cas-bridge.xethub.hf.co",
)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLOSED_PORT = 1


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class Imitation:
    """What is published, which tricks are played, and who was asked for what."""

    def __init__(self):
        self.records = {}  # number: {file name: bytes}
        self.kaggle = {}  # "owner/name": bytes of version 3, the newest
        self.kaggle_versions = {}  # number of another version: bytes
        self.authorization = "Basic " + base64.b64encode(b"someone:secret-key").decode()
        self.hub = {}  # "owner/name": bytes of model.safetensors
        self.hub_authorization = "Bearer secret-token"
        self.mirror = False  # a hub that sends files itself
        self.new_zenodo = False
        self.offline = set()  # hosts that nobody answers at
        self.broken = {}  # file name: times that its connection breaks in the middle
        self.wrong_bytes = {}  # file name: times that other bytes come
        self.statuses = {}  # end of a path: (status, times)
        self.no_json = set()  # ends of paths whose answer is no JSON
        self.asked = []

    def asked_for(self, end):
        return sum(urlsplit(url).path.endswith(end) for url in self.asked)

    def takes(self, tricks, name):
        """Tell whether a trick is still to be played, and count it."""
        if tricks.get(name, 0) <= 0:
            return False
        tricks[name] -= 1
        return True


class Handler(BaseHTTPRequestHandler):
    """Answers /<host>/<path>."""

    def log_message(self, *_):
        pass

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.answer(json.loads(self.rfile.read(length)))

    def do_GET(self):
        self.answer(None)

    def answer(self, body):
        parts = urlsplit(self.path)
        host, _, path = parts.path[1:].partition("/")
        for end, (status, times) in self.server.imitation.statuses.items():
            if path.endswith(end) and times > 0:
                self.server.imitation.statuses[end] = (status, times - 1)
                return self.send(status, b"an error page")
        if any(path.endswith(end) for end in self.server.imitation.no_json):
            return self.send(200, b"<html>")
        return getattr(self, "at_" + re.sub("[.-]", "_", host))(path, parse_qs(parts.query), body)

    def at_doi_org(self, path, query, body):
        number = path.rpartition(".")[2]
        if number not in self.server.imitation.records:
            return self.send(404, b"DOI not found")
        host = "zenodo.org/records/" if "zenodo" in path else "figshare.com/articles/dataset/x/"
        return self.redirect(f"https://{host}{number}")

    def at_zenodo_org(self, path, query, body):
        *above, name = path.split("/")
        if above == ["records"]:
            return self.send(200, b"a page for people")
        if above == ["api", "records"]:
            return self.send_json({"id": name, "files": self.zenodo_files(name)})
        return self.send_file(
            name, self.server.imitation.records[path.split("/files/")[0].split("/")[-1]][name]
        )

    def zenodo_files(self, number):
        files = self.server.imitation.records[number].items()
        if self.server.imitation.new_zenodo:
            return [{"filename": name, "filesize": len(c), "checksum": md5(c)} for name, c in files]
        api = f"https://zenodo.org/api/records/{number}/files/"
        return [
            {"key": name, "size": len(c), "checksum": f"md5:{md5(c)}", "links": {"self": api + name}}
            for name, c in files
        ]

    def at_figshare_com(self, path, query, body):
        return self.send(200, b"a page for people")

    def at_api_figshare_com(self, path, query, body):
        if "doi" in query:
            return self.send_json([{"id": int(query["doi"][0].rpartition(".")[2])}])
        number = path.rpartition("/")[2]
        files = self.server.imitation.records[number].items()
        base = f"https://ndownloader.figshare.com/files/{number}/"
        return self.send_json(
            {
                "files": [
                    {"name": name, "size": len(c), "computed_md5": md5(c), "download_url": base + name}
                    for name, c in files
                ]
            }
        )

    def at_ndownloader_figshare_com(self, path, query, body):
        _, number, name = path.split("/")
        return self.send_file(name, self.server.imitation.records[number][name])

    def at_api_kaggle_com(self, path, query, body):
        if self.headers["Authorization"] != self.server.imitation.authorization:
            return self.send_json({"code": 401, "message": "no such key"}, 401)
        name = f"{body['ownerSlug']}/{body['datasetSlug']}"
        if name not in self.server.imitation.kaggle:
            return self.send_json({"code": 404, "message": "not found"}, 404)
        if path == "v1/datasets.DatasetApiService/GetDataset":
            return self.send_json({"currentVersionNumber": 3})
        assert path == "v1/datasets.DatasetApiService/DownloadDataset"
        version = body["datasetVersionNumber"]
        if version != 3 and version not in self.server.imitation.kaggle_versions:
            return self.send_json({"code": 404, "message": "not found"}, 404)
        signed = f"v={version}&X-Goog-Signature=secret-signature"
        return self.redirect(f"https://storage.googleapis.com/{name}?{signed}")

    def at_storage_googleapis_com(self, path, query, body):
        assert "Authorization" not in self.headers
        imitation = self.server.imitation
        content = imitation.kaggle_versions.get(int(query["v"][0])) or imitation.kaggle[path]
        stated = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        return self.send_file(
            path, content, {"x-goog-hash": f"crc32c=x,md5={stated}", "Accept-Ranges": "bytes"}
        )

    def at_huggingface_co(self, path, query, body):
        imitation = self.server.imitation
        if self.headers["Authorization"] not in (None, imitation.hub_authorization):
            return self.send(401, b"Invalid username or password.")
        repository, _, end = path.partition("/resolve/")
        if end != "main/model.safetensors" or repository not in imitation.hub:
            return self.send(404, b"Entry not found")
        content = imitation.hub[repository]
        sha256 = hashlib.sha256(content).hexdigest()
        if imitation.mirror:
            told = {"X-Repo-Commit": COMMIT, "ETag": f'W/"{sha256}"'}
            return self.send_file("model.safetensors", content, told)
        told = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
        place = f"https://cas-bridge.xethub.hf.co/{repository}?X-Amz-Signature=secret-signature"
        return self.redirect(place, {**told, "ETag": f'"{"ab" * 20}"'})

    def at_cas_bridge_xethub_hf_co(self, path, query, body):
        assert "Authorization" not in self.headers
        content = self.server.imitation.hub[path]
        other = {"ETag": f'"{"0" * 64}"', "X-Linked-Etag": f'"{"0" * 64}"', "X-Repo-Commit": "0" * 40}
        return self.send_file("model.safetensors", content, other)  # only what the hub states counts

    def send_file(self, name, content, headers=None):
        imitation = self.server.imitation
        if imitation.takes(imitation.wrong_bytes, name):
            content = bytes(len(content))
        self.send(200, content, headers, cut=imitation.takes(imitation.broken, name))

    def send_json(self, value, status=200):
        self.send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def redirect(self, url, headers=None):
        self.send(302, b"", {**(headers or {}), "Location": url})

    def send(self, status, content, headers=None, cut=False):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Print nothing where a client has read enough."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def serve(monkeypatch):
    """Start the imitation, lead the real hosts' names to it, and return it with what stops it."""
    server = _Server(("127.0.0.1", 0), Handler)
    server.imitation = Imitation()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    really_send = HTTPAdapter.send

    def send(adapter, request, *args, **kwargs):
        parts = urlsplit(request.url)
        if parts.hostname not in HOSTS:
            pytest.fail(f"a test asked {parts.hostname}")
        server.imitation.asked.append(request.url)
        port = CLOSED_PORT if parts.hostname in server.imitation.offline else server.server_port
        there = request.copy()
        query = f"?{parts.query}" if parts.query else ""
        there.url = f"http://127.0.0.1:{port}/{parts.hostname}{parts.path}{query}"
        try:
            response = really_send(adapter, there, *args, **{**kwargs, "proxies": {}})
        except requests.RequestException as problem:
            problem.request = request
            raise
        response.url, response.request = request.url, request
        return response

    monkeypatch.setattr(HTTPAdapter, "send", send)

    def stop():
        server.shutdown()
        thread.join()
        server.server_close()

    return server.imitation, stop
