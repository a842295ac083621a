"""Forks a process a call in which all that it imports is there already: most of what a short call would take.

    python warm.py FOLDER

listens at FOLDER/calls (call.py says how one calls) for programs to become: `snakemake`, or `weckd`. The jobs of such
an engine find FOLDER/weckd before their own command: it has this process become their `weckd`. It ends with its input.
"""

import gc
import json
import os
import pkgutil
import select
import signal
import socket
import sys
from functools import partial
from importlib import import_module
from pathlib import Path

import weckd
from weckd.cli import main
from weckd.numpy_kernels import settle_kernels

settle_kernels()  # before NumPy is imported

import matplotlib.pyplot  # noqa: E402, F401
import snakemake.cli  # noqa: E402

import weckd.engine  # noqa: E402

for module in pkgutil.walk_packages(weckd.__path__, "weckd."):
    if not module.name.endswith("__main__"):
        import_module(module.name)


def received(connection):
    """Return a call's program with its arguments, environment and folder, and its streams."""
    length, streams, *_ = socket.recv_fds(connection, 8, 3)
    content = bytearray()
    while len(content) < int(length):
        content += connection.recv(int(length) - len(content))
    return json.loads(content), streams


def become(call, streams, folder):
    """Go on as the process that was called."""
    (program, *arguments), environment, place = call
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(place)
    sys.argv[:] = [program, *arguments]
    if program == "weckd":
        sys.exit(main(arguments))
    weckd.engine.find_own_commands = partial(find_commands_of, folder, weckd.engine.find_own_commands)
    snakemake.cli.main()


def find_commands_of(folder, find_own_commands):
    find_own_commands()
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def answer(connection, folder):
    """Have another process become what is called for, and send its exit status."""
    process = os.fork()
    if process == 0:
        become(*received(connection), folder)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    connection.sendall(str(status).encode())


def listen(folder):
    with socket.socket(socket.AF_UNIX) as calls:
        calls.bind(str(folder / "calls"))
        calls.listen()
        print("listens", flush=True)
        while calls in select.select([calls, sys.stdin], [], [])[0]:
            connection, _ = calls.accept()
            if os.fork() == 0:
                calls.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection, folder)
                os._exit(0)
            connection.close()


if __name__ == "__main__":
    snakemake.cli.get_argument_parser()  # imports all plugins
    gc.freeze()  # what is collected in no child is copied for none
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that answer
    listen(Path(sys.argv[1]))
