"""A real SLURM of one node on this machine, with pretend GPUs: null devices that jobs are counted by.

Everything it writes lies in one folder; its programs end with the block that uses them.
"""

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

PACKAGES = "slurm-wlm slurm-wlm-basic-plugins munge"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
GPUS = 2
ETC, FILES = Path("/etc/slurm"), ("slurm.conf", "gres.conf")
SETTINGS = """
ClusterName=weckd
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthInfo=socket={folder}/munge.socket,cred_expire=15
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0
MinJobAge=3600
KillWait=20
ReturnToService=2
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=16000 Gres=gpu:pretend:{gpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=10 State=UP
"""


def missing():
    """Return why SLURM cannot be started here, or None where it can."""
    if os.geteuid() != 0:
        return "only root may start SLURM's programs"
    if any((ETC / name).exists() and not (ETC / name).is_symlink() for name in FILES):
        return f"{ETC} has settings: this machine belongs to a SLURM of its own"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"no {', '.join(absent)}: apt-get install {PACKAGES}" if absent else None


@contextmanager
def cluster(folder):
    """Yield the environment in which sbatch and its like find a cluster that lives as long as the block."""
    settings = folder / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    settings.write_text(
        SETTINGS.format(host=host, folder=folder, ports=[free_port(), free_port()], gpus=GPUS).lstrip()
    )
    for number in range(GPUS):
        told("mknod", folder / f"gpu{number}", "c", "1", "3")
    (folder / "gres.conf").write_text(f"Name=gpu Type=pretend File={folder}/gpu[0-{GPUS - 1}]\n")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    with ExitStack() as stack:
        for (
            name
        ) in FILES:  # jobs find their cluster here alone: the executor hides SLURM's variables from them
            link(stack, ETC / name, folder / name)
        places = {
            "key": "key-file",
            "socket": "socket",
            "pid": "pid-file",
            "log": "log-file",
            "seed": "seed-file",
        }
        files = [f"--{option}={folder}/munge.{name}" for name, option in places.items()]
        started(stack, folder, environment, "munged", "--foreground", "--force", *files)
        wait_until((folder / "munge.socket").exists, folder)
        started(stack, folder, environment, "slurmctld", "-D", "-f", settings)
        started(stack, folder, environment, "slurmd", "-D", "-f", settings)
        wait_until(lambda: "idle" in said(environment, "sinfo", "--noheader", "--format=%T"), folder)
        yield environment
        subprocess.run(["scancel", "--user=root"], env=environment, check=False)


def link(stack, place, target):
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)  # that of a test which was killed
    place.symlink_to(target)
    stack.callback(place.unlink)


def started(stack, folder, environment, *command):
    log = stack.enter_context((folder / f"{command[0]}.out").open("w"))
    process = subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=environment)

    def end():
        process.terminate()
        process.wait(30)

    stack.callback(end)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(true, folder, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        logs = "\n".join(f"{log.name}: {log.read_text()[-1000:]}" for log in folder.glob("*.log"))
        assert time.monotonic() < deadline, logs
        time.sleep(0.1)


def said(environment, *command):
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout


def told(*command):
    subprocess.run([str(word) for word in command], check=True)
