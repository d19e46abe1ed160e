"""Web servers that take reports, and what reached them."""

import base64
import sys
from typing import NamedTuple

from . import json_log
from . import report_receiver_server as server
from .network import REPORT_RECEIVER_PREFIX, WORLD
from .processes import Process
from .testing import wait_until


class Post(NamedTuple):
    kind: str
    path: str
    header: list  # (name in lower case, value)
    body: bytes


class ReportReceivers:
    def __init__(self, folder, certificates, dns, package_folder):
        folder.mkdir()
        self._log = folder / "received.jsonl"
        self._log.touch()
        for kind in server.KINDS:
            fault = kind if kind in server.CERTIFICATE_FAULTS else "good"
            certificates.chain_file(server.host_of(kind), fault)
            dns.set(f"{server.host_of(kind)}.", "A", self.address(kind))
        words = [certificates.folder, REPORT_RECEIVER_PREFIX, self._log]
        process = Process(
            "report-receivers",
            [sys.executable, "-m", "lab.report_receiver_server", *words],
            folder / "report-receivers.log",
            WORLD,
            cwd=package_folder,
        )
        wait_until(lambda: "ready" in process.log_text(), 20, "receivers of reports listen")

    def address(self, kind):
        return server.address_of(REPORT_RECEIVER_PREFIX, kind)

    def uri(self, kind, path):
        return f"https://{server.host_of(kind)}{path}"

    def connections(self, kind):
        entries = json_log.read(self._log)
        return sum((entry["event"], entry["kind"]) == ("connect", kind) for entry in entries)

    def posts(self, path):
        """All with this path, whichever server took them."""
        return [
            Post(
                entry["kind"],
                entry["path"],
                [(name.lower(), value) for name, value in entry["header"]],
                base64.b64decode(entry["body"]),
            )
            for entry in json_log.read(self._log)
            if entry["event"] == "post" and entry["path"] == path
        ]
