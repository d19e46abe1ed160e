"""The MX hosts of the lab and what reached them."""

import sys

from . import json_log
from . import mail_sink_server as server
from .network import MX_PREFIX, WORLD
from .processes import Process
from .testing import wait_until

host_of = server.host_of


class MailSinks:
    def __init__(self, folder, certificates, package_folder):
        folder.mkdir()
        self._log = folder / "received.jsonl"
        self._log.touch()
        for kind in server.KINDS:
            certificates.chain_file(
                host_of(kind),
                server.CERTIFICATE_KIND.get(kind, "good"),
                server.MORE_NAMES.get(kind, ()),
            )
        self._process = Process(
            "mail-sinks",
            [
                sys.executable,
                "-m",
                "lab.mail_sink_server",
                certificates.folder,
                MX_PREFIX,
                self._log,
            ],
            folder / "mail-sinks.log",
            WORLD,
            cwd=package_folder,
        )
        wait_until(lambda: "ready" in self._process.log_text(), 20, "MX sinks listen")

    def address(self, kind):
        return server.address_of(MX_PREFIX, kind)

    def events(self, event=None, recipient=None):
        """What was logged so far, in order: all, or of one event, or for one recipient."""
        return [
            entry
            for entry in json_log.read(self._log)
            if (event is None or entry["event"] == event)
            and (recipient is None or entry.get("rcpt") == recipient)
        ]

    def kinds_told(self, recipient):
        """The hosts that were named this recipient, let alone given the mail."""
        return {entry["kind"] for entry in self.events(recipient=recipient)}

    def deliveries(self, recipient):
        return self.events("message", recipient)
