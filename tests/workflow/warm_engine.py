"""Forks a process a call in which the workflow's engine is imported already: most of what a short call would take.

    python warm_engine.py

reads calls as lines of JSON, {"arguments": [..], "environment": {..}, "output": "file"}, and answers each with its exit
status when it has ended. It ends with its input.
"""

import gc
import json
import os
import sys

import pandas  # noqa: F401 - which the engine imports when it compares parameters
import smart_open  # noqa: F401 - and this when it reads the first of its files
import snakemake.cli
import timm  # noqa: F401 - and torch: of networks that are not committed the rules look at the shapes


def become(call):
    """Go on as the process that was called."""
    descriptors = [os.open(os.devnull, os.O_RDONLY), os.open(call["output"], os.O_WRONLY | os.O_CREAT)]
    for target, source in enumerate((*descriptors, descriptors[1])):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv[:] = ["snakemake", *call["arguments"]]
    snakemake.cli.main()


snakemake.cli.get_argument_parser()  # imports all plugins
gc.freeze()  # what is collected in no child is copied for none
for line in iter(sys.stdin.readline, ""):
    process = os.fork()
    if process == 0:
        become(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
