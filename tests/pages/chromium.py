"""Headless Chromium, spoken to over a pipe: a page at a width, what a script in it finds, its pixels and its print."""

import json
import os
import subprocess
from contextlib import contextmanager

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    "--no-first-run",
)


class Tab:
    """A page in Chromium; each method of its protocol is a call by name, whose result is returned."""

    def __init__(self, commands, answers):
        self.commands, self.answers, self.sent, self.session = commands, answers, 0, {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = {
            "sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        }

    def call(self, method, **parameters):
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters, **self.session}
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while (answer := self._next()).get("id") != self.sent:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _next(self):
        read = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            read += byte
        return json.loads(read)

    def open(self, page, width, media="screen"):
        """Open a file as wide as `width` pixels of CSS, as on the screen or as in print."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        self.call("Emulation.setEmulatedMedia", media=media)
        self.call("Page.enable")
        self.call("Page.navigate", url=page.resolve().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, script):
        """Return the value of a script's last expression; of a promise, what it comes to."""
        found = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")


@contextmanager
def chromium(profile):
    """Start Chromium with a folder of its own for its profile, yield a tab, and end it."""
    (read, commands), (answers, write) = os.pipe(), os.pipe()
    program = ("chromium", *FLAGS, f"--user-data-dir={profile}")
    through = ("bash", "-c", f'exec "$@" 3<&{read} 4>&{write}', "bash", *program)
    with subprocess.Popen(through, pass_fds=(read, write), stderr=subprocess.DEVNULL) as process:
        os.close(read)
        os.close(write)
        with os.fdopen(commands, "wb") as sent, os.fdopen(answers, "rb") as got:
            try:
                tab = Tab(sent, got)
                yield tab
            finally:
                process.terminate()
