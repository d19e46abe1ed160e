"""A network namespace of the run's own, where ports 53 and 443 are free and nothing gets out.

The whole run is started again inside it, so the namespace ends with the run and leaves nothing
behind. The name server of the processes inside is the benchmark's: /etc/resolv.conf is covered by a
mount that nobody outside sees.
"""

import os
import subprocess
import sys

_MARK = "STRICTMX_BENCH_NAMESPACE"


def enter():
    """Returns inside the namespace only; outside it replaces this process."""
    if os.environ.get(_MARK) == "1":
        return
    command = ["unshare", "--net", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    os.environ[_MARK] = "1"
    os.execvp("unshare", command + ["--", sys.executable] + sys.argv)


def prepare(folder):
    """Brings loopback up, with enough ports for many short connections, and sets the resolver."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as ports:
        ports.write("10000 65535")
    resolv_conf = os.path.join(folder, "resolv.conf")
    with open(resolv_conf, "w", encoding="ascii") as out:
        out.write("nameserver 127.0.0.1\n")
    target = os.path.realpath("/etc/resolv.conf")
    if os.path.exists(target):
        subprocess.run(["mount", "--bind", resolv_conf, target], check=True)
