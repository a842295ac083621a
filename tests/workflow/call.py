"""Calls a program that warm.py becomes.

    python call.py SOCKET PROGRAM ARGUMENT..

does it with the environment, folder and streams of this process.
"""

import json
import os
import socket
import sys
from pathlib import Path


def call(address, arguments, environment, folder, streams):
    """Return the exit status; `arguments` begin with the program."""
    content = json.dumps([arguments, environment, folder]).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"%8d" % len(content)], streams)
        connection.sendall(content)
        return int(connection.recv(8) or 1)


if __name__ == "__main__":
    status = call(sys.argv[1], sys.argv[2:], dict(os.environ), str(Path.cwd()), [0, 1, 2])
    sys.exit(status if status >= 0 else 128 - status)
