"""The whole lab, each part started when a test first asks for it and kept for the rest of the run."""

import shutil
import sys
from functools import cached_property
from pathlib import Path

from . import network
from .certificates import Certificates
from .daemon import Daemon
from .dane_hosts import DaneHosts
from .dns_servers import DnsServers
from .dns_zones import Zones
from .domains import Domains
from .mail_sinks import MailSinks
from .network import BLIND_RESOLVER, POLICY_HOST_PREFIX, WORLD
from .policy_hosts import PolicyHosts
from .postfix import WITH_DNSSEC, Postfix, Setup
from .processes import Process
from .report_receivers import ReportReceivers
from .testing import Skip, wait_until

PACKAGE_FOLDER = Path(__file__).resolve().parent.parent

# All ask the same strictmxd.
# The last one also sends results of its TLS sessions, where a test listens (Postfix.result_socket).
POSTFIX_INSTANCES = {
    "3.7": Setup("3.7", smtp_port=2537),
    "3.10": Setup("3.10"),
    "3.10-tlsrpt": Setup(
        "3.10",
        "postfix-tlsrpt",
        "smtp_tls_enforce_sts_mx_patterns = yes\n"
        "smtp_tlsrpt_enable = yes\nsmtp_tlsrpt_socket_name = run/tlsrpt.sock",
        smtp_port=2510,
    ),
}
# For sites with DANE, whose own level is either of these.
DANE_INSTANCES = {
    "3.7-may": Setup("3.7", more=WITH_DNSSEC),
    "3.7-dane": Setup("3.7", more=WITH_DNSSEC, level="dane"),
    "3.10-may": Setup("3.10", "postfix-tlsrpt", WITH_DNSSEC),
    "3.10-dane": Setup("3.10", more=WITH_DNSSEC, level="dane"),
}
# Without DNSSEC anywhere: it finds hosts also where signatures are broken.
BLIND_INSTANCES = {"3.10-blind": Setup("3.10", resolver=BLIND_RESOLVER)}
_ALL_INSTANCES = {**POSTFIX_INSTANCES, **DANE_INSTANCES, **BLIND_INSTANCES}


class Lab:
    def __init__(self, folder, build, postfix_folders):
        """postfix_folders: version -> folder, or {"skip": why} for one that cannot be had."""
        self.folder = folder
        self._build = Path(build)
        self._postfix_folders = postfix_folders
        self._daemons = []
        network.set_up()

    @cached_property
    def certificates(self):
        return Certificates(self.folder / "certificates")

    @cached_property
    def zones(self):
        return Zones(self.folder / "zones")

    @cached_property
    def dns(self):
        return DnsServers(self.folder / "dns", self.zones)

    @cached_property
    def policy_hosts(self):
        return PolicyHosts(self.folder / "nginx", self.certificates)

    @cached_property
    def sinks(self):
        return MailSinks(self.folder / "sinks", self.certificates, PACKAGE_FOLDER)

    @cached_property
    def report_receivers(self):
        """In DNS after publish()."""
        self.policy_hosts  # noqa: B018 - one of them is that nginx
        return ReportReceivers(
            self.folder / "receivers", self.certificates, self.dns, PACKAGE_FOLDER
        )

    @cached_property
    def domains(self):
        """With all policy hosts, good and bad, and all MX hosts running."""
        domains = Domains(self.dns, self.policy_hosts, self.certificates, self.sinks)
        domains.add("redirect-target.test")
        bad = Process(
            "bad-policy-hosts",
            [
                sys.executable,
                "-m",
                "lab.bad_policy_server",
                self.certificates.folder,
                POLICY_HOST_PREFIX,
            ],
            self.folder / "bad-policy-hosts.log",
            WORLD,
            cwd=PACKAGE_FOLDER,
        )
        wait_until(lambda: "ready" in bad.log_text(), 20, "bad policy hosts listen")
        domains.publish()
        return domains

    @cached_property
    def dane_hosts(self):
        """MX hosts with TLSA records, all in DNS."""
        self.domains  # noqa: B018 - DNS and the MX sinks run
        return DaneHosts(self.dns, self.sinks, self.certificates)

    def postfix(self, name):
        """The running instance of this name; Skip when its server cannot be had."""
        if name not in self._instances:
            setup = _ALL_INSTANCES[name]
            folder = self._postfix_folders.get(
                setup.version, {"skip": f"Postfix {setup.version} was not asked for"}
            )
            if isinstance(folder, dict):
                raise Skip(folder["skip"])
            self._instances[name] = Postfix(
                f"postfix-{name}".replace(".", "-"),
                folder,
                self.folder / f"postfix-{name}",
                self.certificates.ca_file,
                setup,
            )
        return self._instances[name]

    @cached_property
    def _instances(self):
        return {}

    def postfix_names(self, instances=tuple(POSTFIX_INSTANCES)):
        """Those of these instances that can run here."""
        return [
            name
            for name in instances
            if isinstance(self._postfix_folders.get(_ALL_INSTANCES[name].version), str)
        ]

    def new_daemon(self, **settings):
        """A strictmxd with an empty store, not started; any earlier one is ended first (they share the port)."""
        self.stop_daemons()
        return self.another_daemon(**settings)

    def another_daemon(self, **settings):
        """A further strictmxd beside the running one, not started."""
        folder = self.folder / f"strictmxd-{len(self._daemons) + 1}"
        self._daemons.append(
            Daemon(
                self._build,
                folder,
                self.zones.trust_anchor_file,
                self.certificates.ca_file,
                settings,
            )
        )
        return self._daemons[-1]

    def stop_daemons(self):
        for daemon in self._daemons:
            daemon.stop()

    def keep_logs(self, target):
        """Copies all logs and configurations to a folder that outlives the lab."""
        shutil.rmtree(target, ignore_errors=True)
        for pattern in (
            "*.log",
            "strictmxd-*/*",
            "*/*.log",
            "*/*.jsonl",
            "*/upper/var/log/*",
            "*/*.conf",
            "zones/*.zone",
        ):
            for source in self.folder.glob(pattern):
                if source.is_file():
                    copy = Path(target) / source.relative_to(self.folder)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(source, copy)
