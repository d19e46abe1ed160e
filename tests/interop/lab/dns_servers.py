"""Real DNS: NSD serves the signed zones, two validating unbound resolve for the mail server.

strictmxd's resolver and Postfix's are apart, so that a test can silence the one and leave the other. A change is
visible when publish() returns: NSD has it and the caches are empty. A third unbound does not validate, for a mail
server that still finds a host where DNSSEC is broken.
"""

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path

from .network import (
    BLIND_RESOLVER,
    DAEMON_RESOLVER,
    FORWARDER,
    NAME_SERVER,
    POSTFIX_RESOLVER,
    SILENT_NAME_SERVER,
    WORLD,
)
from .processes import Process, run
from .testing import wait_until

NSD_CONF = """\
server:
  ip-address: {address}
  do-ip6: no
  username: ""
  chroot: ""
  database: ""
  pidfile: ""
  zonesdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  rrl-ratelimit: 0
  receive-buffer-size: 4194304
  send-buffer-size: 4194304
remote-control:
  control-enable: no
"""

UNBOUND_CONF = """\
server:
  interface: {address}
  do-ip6: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  module-config: "{modules}"
  trust-anchor-file: "{anchor}"
  root-hints: "{hints}"
  local-zone: "test." nodefault
  qname-minimisation: no
  infra-keep-probing: yes
  infra-host-ttl: 1
  so-rcvbuf: 4m
  so-sndbuf: 4m
  trust-anchor-signaling: no
  outgoing-range: 8192
  num-queries-per-thread: 4096
remote-control:
  control-enable: yes
  control-interface: "{folder}/{name}.ctl"
  control-use-cert: no
"""


class DnsServers:
    def __init__(self, folder, zones):
        self._folder = folder
        self.zones = zones
        folder.mkdir()
        self._start_name_server()
        self.daemon_resolver = self._start_resolver("unbound-daemon", DAEMON_RESOLVER)
        self.postfix_resolver = self._start_resolver("unbound-postfix", POSTFIX_RESOLVER)
        self._start_resolver("unbound-blind", BLIND_RESOLVER, "iterator", "flags: qr rd ra ;")
        self._forwarder = None

    def set(self, owner, record_type, *values):
        """Replaces these records (no value: removes them); visible after publish()."""
        self.zones.zone_of(owner).set(owner, record_type, values)

    def make_silent(self, owner):
        """Delegates the name to a server that never answers."""
        self.set(owner, "NS", "ns-silent.test.")

    def make_servfail(self, owner):
        """Delegates the name to an address without a server: resolvers say SERVFAIL."""
        self.set(owner, "NS", "ns-lame.test.")

    def make_bogus(self, owner):
        """Spoils the DNSSEC signatures of the name: resolvers that validate say SERVFAIL."""
        self.zones.zone_of(owner).bogus.add(owner)

    def make_sound(self, owner):
        self.set(owner, "NS")
        self.zones.zone_of(owner).bogus.discard(owner)

    def publish(self, *zones):
        """Writes and loads the zones (test. when none is named) and empties the resolvers' caches."""
        for zone in zones or (self.zones.test,):
            serial = str(zone.write())
            self._name_server.send(signal.SIGHUP)
            wait_until(
                lambda: serial in _ask(zone.origin, NAME_SERVER),
                20,
                f"NSD serves {zone.origin} {serial}",
            )
        for name in ("unbound-daemon", "unbound-postfix", "unbound-blind"):
            self._control(name, "flush_zone", ".")
            self._control(name, "flush_infra", "all")

    def start_forwarder(self, mode):
        """Puts the forwarder in front of strictmxd's resolver, in place of an earlier one: "honest" or "stripping"."""
        self.stop_forwarder()
        self._forwarder = Process(
            f"forwarder-{mode}",
            [sys.executable, "-m", "lab.dns_forwarder", FORWARDER, DAEMON_RESOLVER, mode],
            self._folder / f"forwarder-{mode}.log",
            cwd=Path(__file__).resolve().parent.parent,
        )
        wait_until(lambda: "SOA" in _ask("test.", FORWARDER), 20, "the forwarder answers")

    def stop_forwarder(self):
        """From now on nothing listens at the forwarder's address."""
        if self._forwarder is not None:
            self._forwarder.stop()
        self._forwarder = None

    @contextlib.contextmanager
    def daemon_resolver_silent(self):
        """While it lasts, strictmxd's resolver takes questions and answers none."""
        self.daemon_resolver.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.daemon_resolver.send(signal.SIGCONT)

    def _start_name_server(self):
        text = NSD_CONF.format(address=NAME_SERVER, folder=self._folder)
        for zone in self.zones.all():
            text += f'zone:\n  name: "{zone.origin}"\n  zonefile: "{zone.served_file}"\n'
        conf = self._folder / "nsd.conf"
        conf.write_text(text, encoding="ascii")
        self._name_server = Process(
            "nsd", ["nsd", "-d", "-c", conf], self._folder / "nsd.log", WORLD
        )
        self._silent = Process(
            "silent-dns",
            [sys.executable, "-c", _SILENT_SERVER, SILENT_NAME_SERVER],
            self._folder / "silent-dns.log",
            WORLD,
        )
        wait_until(lambda: "SOA" in _ask("test.", NAME_SERVER), 20, "NSD answers")

    def _start_resolver(
        self, name, address, modules="validator iterator", flags="flags: qr rd ra ad ;"
    ):
        hints = self._folder / "root.hints"
        hints.write_text(
            f". 3600000 NS ns.test.\nns.test. 3600000 A {NAME_SERVER}\n", encoding="ascii"
        )
        conf = self._folder / f"{name}.conf"
        conf.write_text(
            UNBOUND_CONF.format(
                address=address,
                folder=self._folder,
                name=name,
                hints=hints,
                anchor=self.zones.trust_anchor_file,
                modules=modules,
            ),
            encoding="ascii",
        )
        process = Process(name, ["unbound", "-d", "-c", conf], self._folder / f"{name}.log")
        wait_until(
            lambda: flags in _ask("test.", address, "-D"), 20, f"{name} answers with {flags}"
        )
        return process

    def _control(self, name, *words):
        return run(["unbound-control", "-c", self._folder / f"{name}.conf", *words])


_SILENT_SERVER = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
while True:
    server.recvfrom(4096)
"""


def _ask(name, server, *options):
    """What drill prints; nothing while the server does not answer."""
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        return run(["drill", *options, "SOA", name, f"@{server}"], timeout=1)
    return ""


def look_up_txt(name, server):
    """The name's one TXT record, its strings joined; "" without one."""
    answer = run(["drill", "-t", "TXT", name, f"@{server}"]).split(";; AUTHORITY")[0]
    lines = [line for line in answer.splitlines() if re.match(r"[^;]\S*\s+\d+\s+IN\s+TXT\s", line)]
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', lines[0]) if lines else []
    return re.sub(r"\\(.)", r"\1", "".join(strings))
