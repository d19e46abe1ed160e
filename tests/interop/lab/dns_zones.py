"""The lab's DNS content: a signed root, a signed test. below it, and a signed bulk.test. for floods.

Records are changed by owner name and type; sign() writes the zone files again. Low TTLs let a change be seen at once.
"""

import time

from .network import LAME_NAME_SERVER, NAME_SERVER, SILENT_NAME_SERVER
from .processes import run

ALGORITHM = "ECDSAP256SHA256"
TTL = 1
KEY_TTL = 3600  # keys do not change during a run: fetched once


class Zone:
    def __init__(self, folder, origin):
        self.folder = folder
        self.origin = origin  # with the final dot
        self.records = {}  # owner -> type -> list of values
        name = "root" if origin == "." else origin.rstrip(".")
        self.signed_file = folder / f"{name}.signed"
        self._plain_file = folder / f"{name}.zone"
        self.bogus = set()  # owners whose signatures are spoiled
        self._serial = 0
        self._key = (
            folder
            / run(
                ["ldns-keygen", "-r", "/dev/urandom", "-a", ALGORITHM, "-k", origin], cwd=folder
            ).strip()
        )

    def delegation_signer(self):
        """The DS record, as the parent publishes it."""
        text = run(
            ["ldns-key2ds", "-n", "-2", self._key.with_name(self._key.name + ".key")],
            cwd=self.folder,
        )
        return text.split("DS", 1)[1].strip()

    def public_key(self):
        return self._key.with_name(self._key.name + ".key").read_text(encoding="ascii")

    def set(self, owner, record_type, values):
        types = self.records.setdefault(owner, {})
        if values:
            types[record_type] = list(values)
        else:
            types.pop(record_type, None)

    def sign(self):
        self._serial = max(self._serial + 1, int(time.time()))
        soa = f"{self.origin} {TTL} IN SOA ns.test. hostmaster.test. {self._serial} 3600 600 86400 {TTL}"
        lines = [soa, f"{self.origin} {KEY_TTL} IN NS ns.test."]
        for owner, types in self.records.items():
            for record_type, values in types.items():
                ttl = KEY_TTL if record_type in ("NS", "DS") else TTL
                lines += [f"{owner} {ttl} IN {record_type} {value}" for value in values]
        self._plain_file.write_text("\n".join(lines) + "\n", encoding="ascii")
        run(
            [
                "ldns-signzone",
                "-o",
                self.origin,
                "-f",
                self.signed_file,
                self._plain_file,
                self._key,
            ],
            cwd=self.folder,
        )
        if self.bogus:
            lines = self.signed_file.read_text(encoding="ascii").splitlines()
            self.signed_file.write_text(
                "\n".join(self._spoiled(line) for line in lines) + "\n", encoding="ascii"
            )
        return self._serial

    def _spoiled(self, line):
        fields = line.split()
        if len(fields) < 13 or fields[3] != "RRSIG" or fields[0] not in self.bogus:
            return line
        signature = fields[12]
        return line.replace(signature, ("B" if signature[0] == "A" else "A") + signature[1:])


class Zones:
    """The tree, and which of its zones a name belongs to."""

    def __init__(self, folder):
        folder.mkdir()
        self.root = Zone(folder, ".")
        self.test = Zone(folder, "test.")
        self.bulk = Zone(folder, "bulk.test.")
        for parent, child in ((self.root, self.test), (self.test, self.bulk)):
            parent.set(child.origin, "NS", ["ns.test."])
            parent.set(child.origin, "DS", [child.delegation_signer()])
        for zone in (self.root, self.test):
            zone.set("ns.test.", "A", [NAME_SERVER])
        self.test.set("ns-silent.test.", "A", [SILENT_NAME_SERVER])
        self.test.set("ns-lame.test.", "A", [LAME_NAME_SERVER])
        self.trust_anchor_file = folder / "trust-anchor"
        self.trust_anchor_file.write_text(self.root.public_key(), encoding="ascii")
        self.trust_anchor_file.chmod(0o644)
        for zone in self.all():
            zone.sign()

    def all(self):
        return (self.root, self.test, self.bulk)

    def zone_of(self, owner):
        return self.bulk if owner.endswith(".bulk.test.") else self.test
