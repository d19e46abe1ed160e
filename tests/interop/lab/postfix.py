"""A real Postfix in a chroot: the kept folder of its Debian release below a throw-away overlay.

It only sends: mail comes in by its own sendmail command, and by SMTP where the set-up has a port, goes out by smtp(8)
under strictmxd's policy. Each mail is tried once; what is deferred stays in the queue until retry_now(). Mail to the
domains of SMART_HOSTS goes to smart hosts.
"""

import json
import re
import signal
from pathlib import Path
from typing import NamedTuple

from .network import POSTFIX_RESOLVER
from .processes import Process, run
from .testing import Failed, wait_until

SMART_HOSTS = {
    "relayed.test": "[smart-relay.test]:25",
    "relayed-freely.test": "[free-relay.test]:25",
    "dane-relayed.test": "[relay-match.mx.test]:2525",
    "dane-relayed-wrongly.test": "[relay-mismatch.mx.test]:2525",
}

# What DANE takes, beside options of resolv.conf: glibc hides the AD bit without trust-ad.
WITH_DNSSEC = "smtp_dns_support_level = dnssec"


class Setup(NamedTuple):
    version: str
    policy_map: str = "postfix"
    more: str = ""  # lines of main.cf
    level: str = "may"  # smtp_tls_security_level, what NOTFOUND leads to
    resolver: str = POSTFIX_RESOLVER
    smtp_port: int = 0  # on 127.0.0.1; 0: it takes no mail by SMTP


MAIN_CF = """\
compatibility_level = 3.6
myhostname = {name}.sender.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
biff = no
maillog_file = /var/log/postfix.log
smtp_tls_security_level = {setup.level}
smtp_tls_CAfile = /etc/postfix/lab-ca.pem
smtp_tls_loglevel = 1
smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:{setup.policy_map}
transport_maps = inline:{{ {transports} }}
smtp_connect_timeout = 5s
smtp_helo_timeout = 10s
smtp_starttls_timeout = 10s
default_destination_concurrency_limit = 5
smtp_destination_concurrency_failed_cohort_limit = 0
qmgr_clog_warn_time = 0
minimal_backoff_time = 3600s
maximal_backoff_time = 3600s
queue_run_delay = 3600s
{setup.more}
"""

# No service is chrooted, so all see the lab's resolv.conf.
MASTER_CF = """\
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - 50 smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
SMTP_SERVICE = "127.0.0.1:{port} inet n - n - - smtpd\n"


class Postfix:
    def __init__(self, name, folder, work, ca_file, setup):
        self.name = name
        self.smtp_server = f"127.0.0.1:{setup.smtp_port}"
        self._root = work / "root"
        for part in ("root", "upper", "overlay-work"):
            (work / part).mkdir(parents=True)
        run(
            [
                "mount",
                "-t",
                "overlay",
                "overlay",
                "-o",
                f"lowerdir={folder},upperdir={work}/upper,workdir={work}/overlay-work",
                self._root,
            ]
        )
        # Postfix wants /dev/null and /dev/urandom, and debootstrap leaves them out where it may not make devices.
        run(["mount", "--bind", "/dev", self._root / "dev"])
        self._configure(name, ca_file, setup)
        self._process = Process(
            name,
            ["chroot", self._root, "/usr/sbin/postfix", "start-fg"],
            work / "postfix-start.log",
        )
        self.log = self._root / "var/log/postfix.log"
        # Where smtp_tlsrpt_socket_name points to, seen from outside the chroot.
        self.result_socket = self._root / "var/spool/postfix/run/tlsrpt.sock"
        wait_until(
            lambda: self._master_runs() or not self._process.is_running(), 30, f"{name} starts"
        )
        if not self._process.is_running():
            raise Failed(f"{name} does not start: {self._process.log_text()[-500:]}")

    def _configure(self, name, ca_file, setup):
        transports = " ".join(f"{{{domain} = smtp:{host}}}" for domain, host in SMART_HOSTS.items())
        etc = self._root / "etc"
        (etc / "postfix/main.cf").write_text(
            MAIN_CF.format(name=name, setup=setup, transports=transports), encoding="ascii"
        )
        services = SMTP_SERVICE.format(port=setup.smtp_port) if setup.smtp_port else ""
        (etc / "postfix/master.cf").write_text(MASTER_CF + services, encoding="ascii")
        (etc / "postfix/lab-ca.pem").write_bytes(Path(ca_file).read_bytes())
        (etc / "resolv.conf").unlink(missing_ok=True)
        trust = "options edns0 trust-ad\n" if WITH_DNSSEC in setup.more else ""
        (etc / "resolv.conf").write_text(
            f"nameserver {setup.resolver}\n{trust}", encoding="ascii"
        )
        (etc / "hosts").write_text("127.0.0.1 localhost\n", encoding="ascii")

    def _master_runs(self):
        return "daemon started" in self.log_text()

    def send(self, recipients, message_id):
        """Queues one mail to all of them; each domain among them becomes a delivery of its own."""
        text = f"From: <sender@sender.test>\nTo: undisclosed:;\nMessage-ID: <{message_id}>\nSubject: lab\n\nlab\n"
        letter = self._root / "tmp/letter"
        letter.write_text(text, encoding="ascii")
        command = 'exec /usr/sbin/sendmail -i -f sender@sender.test "$@" < /tmp/letter'
        run(["chroot", self._root, "/bin/sh", "-c", command, "sh", *recipients])

    def sendmail_script(self, path):
        """Makes a program that hands a mail to this Postfix's own sendmail; only root can use it."""
        path.write_text(
            f'#!/bin/sh\nexec chroot {self._root} /usr/sbin/sendmail "$@"\n', encoding="ascii"
        )
        path.chmod(0o755)
        return path

    def queue(self):
        """What waits: recipient -> reason it was deferred for (None while it is being tried for the first time)."""
        waiting = {}
        for mail in self._queued_mails():
            for recipient in mail["recipients"]:
                tried = mail["queue_name"] == "deferred" or "delay_reason" in recipient
                waiting[recipient["address"]] = recipient.get("delay_reason", "") if tried else None
        return waiting

    def _queued_mails(self):
        lines = run(["chroot", self._root, "/usr/sbin/postqueue", "-j"]).splitlines()
        return [json.loads(line) for line in lines]

    def retry_now(self):
        """Tries all that is queued again, without waiting for it."""
        run(["chroot", self._root, "/usr/sbin/postqueue", "-f"])

    def retry_mail_to(self, address):
        """The same for one mail."""
        for mail in self._queued_mails():
            if address in [recipient["address"] for recipient in mail["recipients"]]:
                run(["chroot", self._root, "/usr/sbin/postqueue", "-i", mail["queue_id"]])

    def allow_plaintext_soon(self):
        """From now on a second attempt does without TLS where that is not required; else only one after an hour does."""
        run(["chroot", self._root, "/usr/sbin/postconf", "-e", "minimal_backoff_time = 1s"])
        run(["chroot", self._root, "/usr/sbin/postfix", "reload"])

    def wait_until_tried(self, recipients, seconds=90):
        """Waits until a first attempt has ended for all: sent, bounced or deferred."""
        wait_until(
            lambda: all(self.outcomes(recipient) for recipient in recipients),
            seconds,
            f"{self.name} tries all mail",
        )

    def outcomes(self, recipient):
        """The log's status of each attempt so far: (status, text)."""
        pattern = rf"to=<{re.escape(recipient)}>.* status=(\w+) \((.*)\)$"
        return [match.groups() for match in re.finditer(pattern, self.log_text(), re.MULTILINE)]

    def log_text(self):
        log = self._root / "var/log/postfix.log"
        return log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""

    def stop(self):
        self._process.send(signal.SIGTERM)
        self._process.stop()
