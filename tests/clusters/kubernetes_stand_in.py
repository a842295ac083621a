"""Stand-ins, on this machine's loopback, of a Kubernetes API and of an object store. Neither is the real thing.

`KubernetesStandIn` answers the few requests that snakemake-executor-plugin-kubernetes makes and keeps the bodies of
the jobs it is sent. A job's "pod" is a function: one that only says how the job ended, or `local_pod`, which runs the
job's own command as a process of this machine, in a new folder for /workdir.

What it does not check: whether a real API server would accept a body (schema, quota, admission, permissions, tokens),
whether the image exists and has what the command needs, whether a node fits (cards, memory, tolerations), and whether
limits are enforced. No container is made: a process sees all of this machine. Volume claims are plain folders.
`ObjectStoreStandIn` keeps files in memory; it checks no credentials, and takes no upload in parts.
"""

import base64
import email.utils
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
import traceback
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

from loopback import Handler, Loopback


class LoopbackServer(Loopback):
    """Hands every request to `answer`."""

    def __init__(self):
        owner = self

        class Answering(Handler):
            def handle_request(self):
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                query = {key: values[0] for key, values in parse_qs(url.query, True).items()}
                status, headers, answer = owner.answer(self.command, unquote(url.path), query, body)
                self.send(status, answer, headers)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request  # noqa: N815

        super().__init__(Answering)


class ObjectStoreStandIn(LoopbackServer):
    """Buckets as dictionaries: just what snakemake-storage-plugin-s3 asks for."""

    def __init__(self):
        super().__init__()
        self.buckets = {}

    def put(self, bucket, key, content):
        # Whole seconds, as a real store's headers have.
        self.buckets.setdefault(bucket, {})[key] = (content, int(time.time()))

    def answer(self, method, path, query, body):
        bucket, _, key = path.lstrip("/").partition("/")
        with self.lock:
            if not key:
                return self.answer_for_bucket(method, bucket, query)
            if method == "PUT":
                self.put(bucket, key, body)
            return self.answer_for_object(method, self.buckets.get(bucket, {}), key)

    def answer_for_bucket(self, method, bucket, query):
        if method == "PUT":
            self.buckets.setdefault(bucket, {})
        elif bucket not in self.buckets:
            return 404, {}, b""
        elif method == "DELETE":
            del self.buckets[bucket]
        elif method == "GET":
            return 200, {"Content-Type": "application/xml"}, self.listing(bucket, query.get("prefix", ""))
        return 200, {}, b""

    def listing(self, bucket, prefix):
        entries = [
            f"<Contents><Key>{escape(quote(key))}</Key><Size>{len(content)}</Size>"
            f"<LastModified>{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(when))}</LastModified></Contents>"
            for key, (content, when) in sorted(self.buckets[bucket].items())
            if key.startswith(prefix)
        ]
        head = f"<Name>{bucket}</Name><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
        return f"<ListBucketResult>{head}{''.join(entries)}</ListBucketResult>".encode()

    def answer_for_object(self, method, files, key):
        if key not in files:
            return (204 if method == "DELETE" else 404), {}, b""
        if method == "DELETE":
            del files[key]
            return 204, {}, b""
        if method == "POST":
            return 501, {}, b""  # an upload in parts
        content, when = files[key]
        tag = hashlib.md5(content, usedforsecurity=False).hexdigest()
        headers = {"ETag": f'"{tag}"', "Last-Modified": email.utils.formatdate(when, usegmt=True)}
        if method == "PUT":
            return 200, headers, b""
        return 200, {**headers, "Content-Length": str(len(content))}, content


class KubernetesStandIn(LoopbackServer):
    """The paths of secrets, jobs and pods that the executor asks for; keeps the bodies of jobs in `jobs`.

    `pod(body, environment)` returns a job's exit status and log. `at_once` pods run side by side, as if the cluster had
    so many places; the others wait. The executor asks for the log of the container *before* its last restart, though
    its pods never restart; `refuses_earlier_logs` answers that with status 400, as the source of Kubernetes does.
    """

    def __init__(self, pod, at_once=2, refuses_earlier_logs=False):
        super().__init__()
        self.pod = pod
        self.places = threading.Semaphore(at_once)
        self.refuses_earlier_logs = refuses_earlier_logs
        self.jobs, self.secrets, self.ended, self.deleted, self.requests = {}, {}, {}, [], []
        self.threads = []

    def __exit__(self, *error):
        super().__exit__(*error)
        for thread in self.threads:
            thread.join()

    def kubeconfig(self, file):
        """Write what KUBECONFIG names: this server, and no user."""
        name = {"name": "stand-in"}
        cluster = {**name, "cluster": {"server": self.url}}
        context = {**name, "context": {"cluster": "stand-in", "user": "nobody"}}
        content = {"clusters": [cluster], "contexts": [context], "users": [{"name": "nobody", "user": {}}]}
        file.write_text(json.dumps({**content, "current-context": "stand-in"}))
        return file

    def answer(self, method, path, query, body):
        content = json.loads(body) if body else None
        with self.lock:
            self.requests.append((method, path))
            status, answer = self.dispatch(method, path.strip("/").split("/"), query, content)
        if isinstance(answer, str):
            return status, {"Content-Type": "text/plain"}, answer.encode()
        return status, {"Content-Type": "application/json"}, json.dumps(answer).encode()

    def dispatch(self, method, path, query, content):  # noqa: PLR0911
        match [method, *path]:
            case ["POST", "api", "v1", "namespaces", _, "secrets"]:
                self.secrets[content["metadata"]["name"]] = content["data"]
                return 201, content
            case ["DELETE", "api", "v1", "namespaces", _, "secrets", name] if name in self.secrets:
                return 200, {"kind": "Status", "status": "Success"}
            case ["POST", "apis", "batch", "v1", "namespaces", _, "jobs"]:
                return self.create(content)
            case ["GET", "apis", "batch", "v1", "namespaces", _, "jobs", name, "status"] if name in self.jobs:
                return 200, {**self.jobs[name], "status": self.job_status(name)}
            case ["DELETE", "apis", "batch", "v1", "namespaces", _, "jobs", name] if name in self.jobs:
                self.deleted.append(name)
                return 200, {"kind": "Status", "status": "Success"}
            case ["GET", "api", "v1", "namespaces", _, "pods"]:
                return 200, {"kind": "PodList", "items": self.pods(query["labelSelector"])}
            case ["DELETE", "api", "v1", "namespaces", _, "pods", _]:
                return 200, {"kind": "Pod"}
            case ["GET", "api", "v1", "namespaces", _, "pods", name, "log"]:
                return self.log(name, query)
        return 404, {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}

    def create(self, body):
        name = body["metadata"]["name"]
        if name in self.jobs:
            return 409, {"kind": "Status", "status": "Failure", "reason": "AlreadyExists", "code": 409}
        self.jobs[name] = body
        self.threads.append(threading.Thread(target=self.run, args=(name, self.environment(body))))
        self.threads[-1].start()
        return 201, body

    def environment(self, body):
        """Return the variables that a job's container is given out of secrets."""
        references = {
            variable["name"]: variable["valueFrom"]["secretKeyRef"]
            for variable in container(body).get("env", [])
        }
        return {
            name: base64.b64decode(self.secrets[reference["name"]][reference["key"]]).decode()
            for name, reference in references.items()
        }

    def run(self, name, environment):
        with self.places:
            try:
                ended = self.pod(self.jobs[name], environment)
            except Exception:  # a pod that never ends would be waited for without end
                ended = 1, traceback.format_exc()
        with self.lock:
            self.ended[name] = ended

    def job_status(self, name):
        if name not in self.ended:
            return {"active": 1}
        return {"failed": 1} if self.ended[name][0] else {"succeeded": 1}

    def pods(self, selector):
        name = selector.removeprefix("job-name=")
        if name not in self.ended or name in self.deleted:
            return []
        state = {"terminated": {"exitCode": self.ended[name][0]}}
        status = {
            "name": "snakemake",
            "image": "",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": state,
        }
        return [{"metadata": {"name": f"{name}-pod"}, "status": {"containerStatuses": [status]}}]

    def log(self, pod, query):
        if query.get("previous", "false").lower() == "true" and self.refuses_earlier_logs:
            text = f'previous terminated container "snakemake" in pod "{pod}" not found'
            return 400, {
                "kind": "Status",
                "status": "Failure",
                "message": text,
                "reason": "BadRequest",
                "code": 400,
            }
        return 200, self.ended[pod.removesuffix("-pod")][1]


def container(body):
    """Return a job's one container."""
    return body["spec"]["template"]["spec"]["containers"][0]


def command(body):
    """Return the shell command of a job's container."""
    (line,) = container(body)["args"][1:]
    return line


def rule_of(body):
    """Return the rule that a job runs."""
    return command(body).split("--allowed-rules ")[1].split()[0]


def local_pod(folder, python_folder):
    """Return a pod that runs a job's command in a folder of its own; claims are folders in `folder`, which stay."""

    def run(body, environment):
        workdir = folder / "pods" / body["metadata"]["name"]
        workdir.mkdir(parents=True)
        link_claims(body, workdir, folder / "claims")
        process = subprocess.Popen(
            [*container(body)["command"], *container(body)["args"]],
            cwd=workdir,
            env={
                "PATH": f"{python_folder}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(workdir),
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
        return process.returncode, output

    return run


def link_claims(body, workdir, claims):
    """Make every claim that is mounted below /workdir appear there."""
    pod = body["spec"]["template"]["spec"]
    of_volume = {
        volume["name"]: volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    }
    for mount in container(body)["volumeMounts"]:
        if mount["name"] in of_volume:
            claim = claims / of_volume[mount["name"]]
            claim.mkdir(parents=True, exist_ok=True)
            (workdir / Path(mount["mountPath"]).relative_to("/workdir")).symlink_to(claim)
