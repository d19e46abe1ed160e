"""Real mail servers of other Debian releases, each in a folder of its own, made once and kept.

The folders live outside the source tree, in ${STRICTMX_TEST_CACHE:-/var/cache/strictmx-tests}. Nothing in
them is ever started here: the lab mounts them below a throw-away overlay. Needs root and the package mirror
that this machine itself uses. A server that cannot be had is Unavailable with the reason: a skip, never a pass.

    /usr/bin/python3 servers.py [VERSION...]     makes the folders ahead of a run
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

RELEASE_OF_POSTFIX = {"3.7": "bookworm", "3.10": "trixie"}

# A package mirror that hangs must end as a skip, not as a run that never ends.
COMMAND_TIMEOUT = 900


class Unavailable(Exception):
    """The server cannot be had on this machine; the text says why."""


def cache_folder():
    return Path(os.environ.get("STRICTMX_TEST_CACHE") or "/var/cache/strictmx-tests")


def postfix_folder(version):
    """The folder that holds this Postfix, made if it is not there yet. Raises Unavailable."""
    folder = cache_folder() / f"postfix-{version}"
    if (folder / "usr/sbin/postfix").exists():
        return folder
    if os.geteuid() != 0:
        raise Unavailable("making the server's folder needs root")
    if shutil.which("debootstrap") is None:
        raise Unavailable("debootstrap is not installed")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with open(cache_folder() / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "usr/sbin/postfix").exists():
            _make_folder(folder, RELEASE_OF_POSTFIX[version])
    return folder


def _make_folder(folder, release):
    unfinished = folder.with_name(folder.name + ".unfinished")
    log = folder.with_name(folder.name + ".log")
    shutil.rmtree(unfinished, ignore_errors=True)
    print(f"making {folder} from Debian {release} (once, about two minutes)", flush=True)
    with open(log, "w", encoding="utf-8") as output:
        try:
            _run(
                output,
                [
                    "debootstrap",
                    "--variant=minbase",
                    "--include=ca-certificates",
                    release,
                    str(unfinished),
                    _mirror(),
                ],
            )
            _install(output, unfinished, ["postfix", "libsasl2-modules-db"])
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as failure:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise Unavailable(
                f"Debian {release} with Postfix could not be made ({failure}), see {log}"
            ) from failure
    unfinished.rename(folder)


def _install(output, folder, packages):
    """Installs packages in the folder without starting any service (policy-rc.d says no, exit status 101)."""
    refuse_services = folder / "usr/sbin/policy-rc.d"
    refuse_services.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    refuse_services.chmod(0o755)
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    environment = {
        "DEBIAN_FRONTEND": "noninteractive",
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
    }
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if name in os.environ:
            environment[name] = os.environ[name]
    in_folder = ["chroot", str(folder), "apt-get", "-o", "Acquire::Check-Valid-Until=false"]
    _run(output, in_folder + ["install", "-y", "--no-install-recommends"] + packages, environment)
    _run(output, in_folder + ["clean"], environment)


def _run(output, command, environment=None):
    subprocess.run(
        command,
        check=True,
        timeout=COMMAND_TIMEOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def _mirror():
    """The Debian mirror that this machine's own apt uses for its main release."""
    listed = subprocess.run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(ORIGIN)",
            "Created-By: Packages",
        ],
        check=False,
        capture_output=True,
        text=True,
    ).stdout
    for line in listed.splitlines():
        fields = line.split()
        if len(fields) == 3 and fields[2] == "Debian" and "-" not in fields[1]:
            return fields[0]
    raise Unavailable("apt on this machine names no Debian mirror")


def main(arguments):
    status = 0
    for version in arguments or RELEASE_OF_POSTFIX:
        try:
            print(f"ok Postfix {version}: {postfix_folder(version)}")
        except Unavailable as reason:
            print(f"skip Postfix {version}: {reason}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
