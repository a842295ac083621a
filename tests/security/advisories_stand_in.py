"""Stand-ins, on this machine's loopback, of the two services that pip-audit can ask for advisories.

Neither is the real thing: they know what a test tells them, and check of a request only what they need to answer it.
`OsvStandIn` is found by its address. `IndexStandIn` is asked in place of the package index, whose address pip-audit has
built in: it is a proxy that opens every tunnel itself, with a certificate that it makes for the host it is asked for.
"""

import datetime
import json
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from loopback import Handler, Loopback


class Stand(Loopback):
    """A stand-in; `asked` is what it was asked for."""

    def __init__(self, handler):
        super().__init__(handler)
        self.server.stand = self
        self.asked = []


class OsvStandIn(Stand):
    """Knows `known`: {(name, version): the version that mends it}; or gives each question the same `answer`.

    The answer is a status and bytes, or None: the connection is closed without a word.
    """

    def __init__(self, known=None, answer=()):
        super().__init__(OsvHandler)
        self.known, self.answer = known or {}, answer
        self.variables = {
            "PIP_AUDIT_VULNERABILITY_SERVICE": "osv",
            "PIP_AUDIT_OSV_URL": f"{self.url}/v1/query",
        }


class OsvHandler(Handler):
    def do_POST(self):  # noqa: N802 - as http.server calls it
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stand, pin = self.server.stand, (question["package"]["name"], question["version"])
        stand.asked.append(pin)
        if stand.answer is None:
            self.close_connection = True
        elif stand.answer:
            self.send(*stand.answer)
        else:
            fixed = stand.known.get(pin)
            self.send(200, json.dumps({"vulns": [advisory(pin[0], fixed)]} if fixed else {}).encode())


def advisory(name, fixed):
    """Return an advisory in OSV's own form."""
    events = [{"introduced": "0"}, {"fixed": fixed}]
    return {
        "id": "GHSA-stand-in",
        "aliases": ["CVE-2026-0001"],
        "summary": "a stand-in's advisory",
        "affected": [
            {
                "package": {"name": name, "ecosystem": "PyPI"},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    }


class IndexStandIn(Stand):
    """Knows each name in `known`, without vulnerabilities, and answers 404 of all others, as a mirror of files does."""

    def __init__(self, folder, known=()):
        super().__init__(IndexHandler)
        self.folder, self.known = folder, known
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a stand-in's authority")])
        written(folder / "authority.pem", self.certificate(None))
        self.variables = {"HTTPS_PROXY": self.url, "REQUESTS_CA_BUNDLE": str(folder / "authority.pem")}

    def certificate(self, host):
        """Return a certificate for a host, or the authority's own for None."""
        now, public = datetime.datetime.now(datetime.UTC), self.key.public_key()
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)]) if host else self.authority
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.authority)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=not host, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        )
        if host:
            made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return made.sign(self.key, hashes.SHA256())

    def context(self, host):
        """Return what speaks TLS in a host's name."""
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        key = self.folder / "key.pem"
        key.write_bytes(self.key.private_bytes(serialization.Encoding.PEM, *plain))
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(written(self.folder / f"{host}.pem", self.certificate(host)), key)
        return made


def written(file, certificate):
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file


class IndexHandler(Handler):
    def do_CONNECT(self):  # noqa: N802 - as http.server calls it
        stand = self.server.stand
        self.send_response(200)
        self.end_headers()
        with stand.lock:
            context = stand.context(self.path.partition(":")[0])
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False  # the question comes through the tunnel

    def do_GET(self):  # noqa: N802 - as http.server calls it
        name = self.path.split("/")[2]
        self.server.stand.asked.append(name)
        if name in self.server.stand.known:
            self.send(200, b'{"info": {}, "vulnerabilities": []}')
        else:
            self.send(404, b"not found")
