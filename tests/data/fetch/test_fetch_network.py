"""Why a request failed, in the same words at all three places that download; every name leads to this machine."""

import datetime
import json
import socket
import ssl
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from loopback import Handler, Loopback
from urllib3.exceptions import ReadTimeoutError
from weights_words import refusal

from weckd.data.catalogue import Download
from weckd.data.fetch import network

BUNDLE = "name a file of PEM certificates, or unset it"
LOGIN = "log in to this network if a browser is asked to, or run again from another network"
BROWSER = "look at its page in a browser: it may ask for a login, or shut out scripts or this network"
UNTRUSTED = (
    "where a proxy of your network has signed it, name the file of its certificates in REQUESTS_CA_BUNDLE; else repair "
    "the machine's clock or certificates"
)
HOSTS = {"doi": "doi.org", "kaggle": "api.kaggle.com", "hub": "huggingface.co"}
WAYS = pytest.mark.parametrize("way", HOSTS)
VARIABLES = [
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "HF_ENDPOINT"),
    *(
        f(name)
        for name in ("https_proxy", "http_proxy", "all_proxy", "no_proxy")
        for f in (str.lower, str.upper)
    ),
]


@pytest.fixture(autouse=True)
def lead(monkeypatch, no_secret_is_printed):
    """Return a function that leads all names to a port of this machine; without it, no name is known."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(network, "PAUSE", 0.01)

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def to(port):
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    return to


@pytest.fixture
def told(workplace, place, dataset, monkeypatch):
    """Return a function that downloads in one of three ways and returns the reason and remedy of its refusal."""
    from huggingface_hub import constants

    template = "https://huggingface.co/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "secret-token")
    page = "https://example.org/mine"
    sets = {
        "doi": dataset(source=page, download=Download(doi="10.5281/zenodo.77")),
        "kaggle": dataset(source=page, download=Download(kaggle="someone/ears")),
    }
    ends = {
        "doi": f", or download its archives from {page} by hand and put them into {workplace.root}/mine/",
        "kaggle": f", or download its archive from {page} by hand and save it as {workplace.root}/mine.zip",
        "hub": refusal(place, "", "").partition("; ")[2],
    }

    def way_of(way):
        message = place.refused() if way == "hub" else workplace.refused(sets[way])
        assert message.endswith(ends[way])
        return message.removesuffix(ends[way]).partition(" (")[2]

    return way_of


@pytest.fixture
def certified(tmp_path):
    """Return a function that makes a server's TLS context with a certificate of its own, and the file of that."""

    def make(*hosts, days=1):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, hosts[0])])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=30))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, hosts))), critical=False)
            .sign(key, hashes.SHA256())
        )
        file = tmp_path / f"{hosts[0]}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context, file

    return make


@pytest.fixture
def served(lead, certified, monkeypatch):
    """Return a function that serves one answer to everybody over TLS, and trusts its certificate."""
    servers = []

    def serve(answer):
        class Answering(Handler):
            def do_GET(self):  # noqa: N802 - as http.server calls it
                self.server.asked.append((self.headers["Host"], self.path))
                answer(self)

            def do_POST(self):  # noqa: N802 - as http.server calls it
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            do_CONNECT = do_GET  # noqa: N815 - as http.server calls it

        server = Loopback(Answering)
        server.server.asked = []
        servers.append(server.__enter__())
        lead(server.server.server_port)
        return server.server

    def over_tls(answer, *hosts):
        server = serve(answer)
        context, file = certified(*hosts)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
        return server

    yield SimpleNamespace(plain=serve, tls=over_tls)
    for server in servers:
        server.__exit__()


@WAYS
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_missing_file_of_certificates_is_told(told, monkeypatch, way, variable):
    monkeypatch.setenv(variable, "/nowhere/ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/other.pem")  # which requests does not read
    assert told(way) == f"{variable} names /nowhere/ca.pem, which is not there); {BUNDLE}"


@WAYS
def test_a_file_of_certificates_that_holds_none_is_told(told, served, monkeypatch, tmp_path, way):
    served.tls(lambda handler: None, HOSTS[way])
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "empty.pem"))
    assert (
        told(way) == f"REQUESTS_CA_BUNDLE names {tmp_path}/empty.pem, which holds no certificate); {BUNDLE}"
    )


@WAYS
def test_a_proxys_own_certificate_is_told(told, served, monkeypatch, way):
    served.tls(lambda handler: None, HOSTS[way])
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    reason = f"the certificate of {HOSTS[way]} is not trusted: self-signed certificate"
    assert told(way) == f"{reason}); {UNTRUSTED}"


@WAYS
def test_a_certificate_of_another_time_or_name_is_told(told, lead, served, certified, monkeypatch, way):
    server = served.plain(lambda handler: None)
    context, file = certified(HOSTS[way], days=-1)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    reason = f"the certificate of {HOSTS[way]} is not trusted: certificate has expired"
    assert told(way) == f"{reason}); {UNTRUSTED}"
    served.tls(lambda handler: None, "login.example")
    reason = (
        f"the certificate of {HOSTS[way]} is not trusted: Hostname mismatch, certificate is not valid for "
        f"'{HOSTS[way]}'."
    )
    assert told(way) == f"{reason}); {UNTRUSTED}"


@WAYS
def test_a_server_that_does_not_speak_tls_is_told(told, served, way):
    served.plain(lambda handler: None)
    reason = f"no secure connection to {HOSTS[way]}: wrong version number"
    assert told(way) == f"{reason}); look whether a proxy or a firewall is in between, and run again"


@WAYS
def test_a_name_that_cannot_be_resolved_is_told(told, way):
    reason = f"the name {HOSTS[way]} is not known to this network"
    remedy = "connect this machine to the network, or repair its name server (DNS), and run again"
    assert told(way) == f"{reason}); {remedy}"


@WAYS
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_dead_proxy_is_told_without_its_password(told, lead, monkeypatch, way, variable):
    lead(1)
    monkeypatch.setenv(variable, "http://secret:secret@proxy.example:3128")
    reason = f"the proxy proxy.example:3128 of {variable} does not answer"
    assert told(way) == f"{reason}); correct {variable}, or unset it"


@WAYS
def test_a_proxy_whose_name_is_not_known_is_told(told, monkeypatch, way):
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    reason = "the proxy proxy.example:3128 of HTTPS_PROXY has a name that is not known to this network"
    assert told(way) == f"{reason}); correct HTTPS_PROXY, or unset it"


@WAYS
@pytest.mark.parametrize(
    ("status", "answer", "tries"),
    [(407, "407 Proxy Authentication Required", 1), (403, "403 Forbidden", 1), (502, "502 Bad Gateway", 3)],
)
def test_a_proxy_that_refuses_is_told(told, served, monkeypatch, way, status, answer, tries):
    server = served.plain(lambda handler: handler.send(status, b""))
    monkeypatch.setenv("HTTPS_PROXY", "http://secret:secret@proxy.example:3128")
    reason = f"the proxy proxy.example:3128 of HTTPS_PROXY answered {answer}"
    assert told(way) == f"{reason}); correct HTTPS_PROXY, or unset it"
    assert len(server.asked) == tries


@WAYS
@pytest.mark.parametrize(
    "proxy", ["http://", "ftp://proxy.example", "http://u:se#cret@proxy.example", "http://[secret"]
)
def test_a_proxy_that_is_no_address_is_told_and_not_shown(told, monkeypatch, way, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert told(way) == "HTTPS_PROXY names no address of a proxy); correct HTTPS_PROXY, or unset it"


@WAYS
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS4"])
def test_a_socks_proxy_without_its_package_is_told(told, monkeypatch, way, scheme):
    def lacking(*_, **__):
        from requests.exceptions import InvalidSchema

        raise InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(
        "requests.adapters.SOCKSProxyManager", lacking
    )  # as requests has it without the package
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://secret:secret@proxy.example:1080")
    reason = "ALL_PROXY names a SOCKS proxy, for which the package PySocks is missing"
    assert told(way) == f"{reason}); install pysocks, or name an HTTP proxy"


@pytest.mark.parametrize(
    "endpoint",
    [
        "hub.example",
        "//hub.example",
        "ftp://hub.example",
        "https://",
        "https:/hub.example",
        "https://h:port",
        "https://a b",
    ],
)
def test_an_endpoint_of_the_hub_that_is_no_address_is_told(told, monkeypatch, endpoint):
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    assert told("hub") == "HF_ENDPOINT is no address of a server); write it as https://HOST, or unset it"


@WAYS
def test_redirects_without_an_end_are_told(told, served, way):
    served.tls(lambda h: h.send(302, b"", {"Location": f"https://{HOSTS[way]}/again"}), HOSTS[way])
    assert told(way) == f"{HOSTS[way]} leads from one address to the next without an end); {LOGIN}"


@WAYS
def test_a_server_that_says_when_to_come_back_is_asked_again_then(told, served, monkeypatch, way):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    served.tls(lambda handler: handler.send(429, b"", {"Retry-After": "7"}), HOSTS[way])
    assert told(way) == f"{HOSTS[way]} answered 429 Too Many Requests); run again in 7 s"
    assert waited == [7.0, 7.0]
    server = served.tls(lambda handler: handler.send(503, b"", {"Retry-After": "3600"}), HOSTS[way])
    assert told(way) == f"{HOSTS[way]} answered 503 Service Unavailable); run again in 3600 s"
    assert len(server.asked) == 1


@WAYS
def test_a_server_that_is_silent_is_told(told, served, monkeypatch, way):
    for module in ("repository", "kaggle", "hub"):
        monkeypatch.setattr(f"weckd.data.fetch.{module}.TIMEOUT", 0.05)
    monkeypatch.setattr(network, "TIMEOUT", 0.05)
    served.tls(lambda handler: time.sleep(0.2), HOSTS[way])
    assert told(way) == f"{HOSTS[way]} did not answer in 0.05 s); run again later"


def test_a_transfer_that_falls_silent_is_told():
    def silent():
        raise requests.ConnectionError(ReadTimeoutError(None, "https://secret", "Read timed out."))

    with pytest.raises(network.DownloadError) as refused:
        network.persistently("mine", silent)
    assert (refused.value.reason, refused.value.remedy) == (
        "the server did not answer in 30 s",
        "run again later",
    )


@pytest.mark.parametrize("way", ["doi", "hub"])
@pytest.mark.parametrize(("status", "answer"), [(403, "403 Forbidden"), (401, "401 Unauthorized")])
def test_a_server_that_shuts_this_network_out_is_told(told, served, monkeypatch, way, status, answer):
    server = served.tls(lambda handler: handler.send(status, b""), HOSTS[way])
    assert told(way) == f"{HOSTS[way]} answered {answer}); {BROWSER}"
    assert len(server.asked) == 1


FIREWALL = {"x-amzn-waf-action": "challenge"}
PAGE = b"\n<!DOCTYPE html><html>Please wait</html>"
HALF = {"Content-Length": "2000"}


@pytest.mark.parametrize(
    ("answer", "told_as"),
    [
        ((202, b"", FIREWALL), "the firewall of {} answered 202: it takes this for a robot); run again later or from "
         "another network"),
        ((405, b"", FIREWALL), "the firewall of {} answered 405: it takes this for a robot); run again later or from "
         "another network"),
        ((200, PAGE, {}), "{} sent a web page in place of the file); " + LOGIN),
        ((200, b"", {}), "{} sent nothing in place of the file); run again later"),
        ((404, b"", {}), "{} answered 404 Not Found); correct its address in the catalogue if it has moved"),
        ((410, b"", {}), "{} answered 410 Gone); look at its page for what has taken its place"),
        ((200, b"PK" * 400, {}), "800 of 1,000 bytes came from {}); run again"),
        ((200, b"PK" * 500, HALF), "the connection broke off); run again"),
        ((200, b"PK" * 500, {}), "a.zip came with another checksum than its record states); run again later"),
    ],
)  # fmt: skip
def test_what_comes_in_place_of_a_file_of_a_record_is_told(told, served, workplace, answer, told_as):
    file = {"name": "a.zip", "size": 1000, "computed_md5": "0" * 32}
    record = {"files": [{**file, "download_url": "https://doi.org/file"}]}
    answers = {
        "/v2/articles/77": json.dumps(record).encode(),
        "/v2/articles?doi=10.5281/zenodo.77": b'[{"id": 77}]',
        "/10.5281/zenodo.77": (302, b"", {"Location": "https://figshare.com/articles/x/77"}),
    }

    def respond(handler):
        found = answers.get(handler.path, answer if handler.path == "/file" else b"a page for people")
        handler.send(*(found if isinstance(found, tuple) else (200, found)))
        handler.close_connection = True

    served.tls(respond, "doi.org", "figshare.com", "api.figshare.com")
    assert told("doi") == told_as.format("doi.org")
    assert list((workplace.own / "archives").iterdir()) == []


def test_the_container_is_given_what_a_download_may_need():
    compose = yaml.safe_load((Path(__file__).parents[3] / "compose.yaml").read_text())
    keys = ["KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "HF_TOKEN", "HF_ENDPOINT"]
    proxies = ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"]
    assert compose["services"]["fetch"]["environment"] == [*keys, *proxies]
    assert [name for name, service in compose["services"].items() if "environment" in service] == ["fetch"]
