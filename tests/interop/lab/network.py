"""The lab's two networks and its address plan.

    mail server's namespace (where the tests run)            namespace "world"
    strictmxd, Postfix, two unbound on 127.0.0.1 and .2      NSD, nginx, bad policy hosts, MX sinks, readers of reports
    198.19.0.2 ------------------- veth ------------------- 198.19.0.1, and every address of 198.18.0.0/16

The addresses are those for benchmarks (RFC 2544): no rule about private networks in Postfix, unbound or NSD touches
them, and they are never routed outside. strictmxd sends reports by HTTPS to public addresses alone, and these are none;
so who takes reports has addresses of 45.83.0.0/24, which are public outside, and here routed as the others. In the world namespace the whole range is local, so a server takes any address of
it, an address without a server refuses, and a range routed to the black hole is silent.
"""

import contextlib

from .processes import run

WORLD = "world"
MAIL_SERVER = "198.19.0.2"

NAME_SERVER = "198.18.0.53"
SILENT_NAME_SERVER = "198.18.0.54"  # takes queries and never answers
LAME_NAME_SERVER = "198.18.0.55"  # nothing listens: the port is refused at once

POLICY_HOST = "198.18.1.1"
POLICY_HOSTS = "198.18.1.0/24"
POLICY_HOST_PREFIX = "198.18.1."
MX_PREFIX = "198.18.2."
MX_HOSTS = "198.18.2.0/24"
MX_DOWN = "198.18.2.250"  # nothing listens
REPORT_RECEIVER_PREFIX = "45.83.0."

# Mail server's side: strictmxd asks the first resolver, Postfix the second, so that a test can take one away.
DAEMON_RESOLVER = "127.0.0.1"
POSTFIX_RESOLVER = "127.0.0.2"
BLIND_RESOLVER = "127.0.0.3"  # does not validate
FORWARDER = "127.0.0.4"  # in front of the first, see dns_forwarder.py


def set_up():
    run(["mkdir", "-p", "/run/netns"])
    run(["ip", "link", "set", "lo", "up"])
    run(["ip", "netns", "add", WORLD])
    run(["ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1", "netns", WORLD])
    run(["ip", "addr", "add", f"{MAIL_SERVER}/30", "dev", "lab0"])
    run(["ip", "link", "set", "lab0", "up"])
    run(["ip", "-n", WORLD, "link", "set", "lo", "up"])
    run(["ip", "-n", WORLD, "addr", "add", "198.19.0.1/30", "dev", "lab1"])
    run(["ip", "-n", WORLD, "link", "set", "lab1", "up"])
    for hosts in ("198.18.0.0/16", f"{REPORT_RECEIVER_PREFIX}0/24"):
        run(["ip", "-n", WORLD, "route", "add", "local", hosts, "dev", "lo", "table", "local"])
        run(["ip", "route", "add", hosts, "via", "198.19.0.1"])


@contextlib.contextmanager
def silent(prefix):
    """While it lasts, packets to these addresses disappear."""
    run(["ip", "-n", WORLD, "route", "add", "blackhole", prefix, "table", "local"])
    try:
        yield
    finally:
        run(["ip", "-n", WORLD, "route", "del", "blackhole", prefix, "table", "local"])
