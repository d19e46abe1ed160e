"""Runs a command in mount, PID and network namespaces of its own, so that nothing of it can stay behind.

Everything the lab starts lives in one PID namespace. When its first process ends, or this one does (Ctrl-C, a
signal, even SIGKILL), the kernel ends all of them, and their mounts and networks go with them: there are no names
to collide with another run and nothing to clean up after a killed one. The work folder is a tmpfs mounted in the
private mount namespace; outside it stays an empty folder, which the next run removes.
"""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

PR_SET_PDEATHSIG = 1
PREFIX = "strictmx-interop-"
UNSHARE = [
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
]


def refusal():
    """Why this machine gives no namespaces of our own; None when it does."""
    tried = subprocess.run(UNSHARE + ["true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() or f"status {tried.returncode}" if tried.returncode else None


def run_isolated(command):
    """Runs the command (with the work folder appended) and returns its exit status, 1 if it was killed."""
    _remove_old_folders()
    folder = Path(tempfile.gettempdir(), f"{PREFIX}{os.getpid()}")
    folder.mkdir(mode=0o755)
    child = subprocess.Popen(
        UNSHARE + command + [str(folder)], start_new_session=True, preexec_fn=_die_with_parent
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: child.kill())
    try:
        status = child.wait()
        return status if status >= 0 else 1
    finally:
        folder.rmdir()


def prepare_mounts(folder):
    """Called first inside: a work folder and a /run that vanish with the namespace."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "lab", str(folder)], check=True)
    resolv_conf = os.path.realpath("/etc/resolv.conf")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "lab-run", "/run"], check=True)
    own = folder / "resolv.conf"
    own.write_text("nameserver 127.0.0.1\n", encoding="ascii")
    if not os.path.exists(resolv_conf):
        os.makedirs(os.path.dirname(resolv_conf), exist_ok=True)
        Path(resolv_conf).touch()
    subprocess.run(["mount", "--bind", str(own), resolv_conf], check=True)


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _remove_old_folders():
    """Folders of killed runs. One whose process lives is in use: removing it would take its mount away."""
    for entry in Path(tempfile.gettempdir()).glob(PREFIX + "*"):
        number = re.fullmatch(PREFIX + r"(\d+)", entry.name)
        if number and not Path("/proc", number.group(1)).exists():
            with contextlib.suppress(OSError):
                entry.rmdir()
