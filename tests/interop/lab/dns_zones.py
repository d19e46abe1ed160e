"""The lab's DNS content: a signed root, a signed test. below it; below that unsigned.test., expired.test., whose
signatures a test can have expire, and an unsigned bulk.test. for floods.

Records are changed by owner name and type; write() makes the zone file anew. Low TTLs let a change be
seen soon.
"""

import time

from .network import LAME_NAME_SERVER, NAME_SERVER, SILENT_NAME_SERVER
from .processes import run

ALGORITHM = "ECDSAP256SHA256"
TTL = 1
# After so long strictmxd's own resolver no longer answers from what it learned before a change.
OLD_DNS_SECONDS = 2
KEY_TTL = 3600  # keys do not change during a run: fetched once


class Zone:
    """One zone and its file: SOA and NS come by themselves, signatures when it is signed."""

    def __init__(self, folder, origin, is_signed=True):
        self.folder = folder
        self.origin = origin  # with the final dot
        self.records = {}  # owner -> type -> list of values
        self.bogus = set()  # owners whose signatures are spoiled
        self.is_expired = False  # its signatures were good until yesterday
        name = "root" if origin == "." else origin.rstrip(".")
        self.served_file = folder / f"{name}.zone"
        self._plain_file = folder / f"{name}.plain"
        self._serial = 0
        self._key = None
        if is_signed:
            keygen = ["ldns-keygen", "-r", "/dev/urandom", "-a", ALGORITHM, "-k", origin]
            self._key = folder / run(keygen, cwd=folder).strip()

    def delegate(self, child):
        """Gives a name below to a zone of its own, in a signed way when that zone is signed."""
        self.set(child.origin, "NS", ["ns.test."])
        if child.is_signed:
            self.set(child.origin, "DS", [child.delegation_signer()])

    @property
    def is_signed(self):
        return self._key is not None

    def delegation_signer(self):
        """The DS record, as the parent publishes it."""
        text = run(["ldns-key2ds", "-n", "-2", self._public_key_file()], cwd=self.folder)
        return text.split("DS", 1)[1].strip()

    def public_key(self):
        return self._public_key_file().read_text(encoding="ascii")

    def set(self, owner, record_type, values):
        types = self.records.setdefault(owner, {})
        if values:
            types[record_type] = list(values)
        else:
            types.pop(record_type, None)

    def write(self):
        """Writes the file anew, signed where the zone is; returns the new serial number."""
        self._serial = max(self._serial + 1, int(time.time()))
        timers = f"{self._serial} 3600 600 86400 {TTL}"
        lines = [
            f"{self.origin} {TTL} IN SOA ns.test. hostmaster.test. {timers}",
            f"{self.origin} {KEY_TTL} IN NS ns.test.",
        ]
        for owner, types in self.records.items():
            for record_type, values in types.items():
                ttl = KEY_TTL if record_type in ("NS", "DS") else TTL
                lines += [f"{owner} {ttl} IN {record_type} {value}" for value in values]
        self._plain_file.write_text("\n".join(lines) + "\n", encoding="ascii")
        if not self.is_signed:
            self._plain_file.replace(self.served_file)
        else:
            self._sign()
        return self._serial

    def _sign(self):
        sign = ["ldns-signzone", "-o", self.origin, "-f", self.served_file]
        if self.is_expired:
            sign += ["-i", _day(days_ago=9), "-e", _day(days_ago=1)]
        run([*sign, self._plain_file, self._key], cwd=self.folder)
        if self.bogus:
            lines = self.served_file.read_text(encoding="ascii").splitlines()
            text = "\n".join(self._spoiled(line) for line in lines) + "\n"
            self.served_file.write_text(text, encoding="ascii")

    def _spoiled(self, line):
        fields = line.split()
        if len(fields) < 13 or fields[3] != "RRSIG" or fields[0] not in self.bogus:
            return line
        signature = fields[12]
        return line.replace(signature, ("B" if signature[0] == "A" else "A") + signature[1:])

    def _public_key_file(self):
        return self._key.with_name(self._key.name + ".key")


def _day(days_ago):
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() - days_ago * 86400))


class Zones:
    """The tree, and which of its zones a name belongs to."""

    def __init__(self, folder):
        folder.mkdir()
        self.root = Zone(folder, ".")
        self.test = Zone(folder, "test.")
        self.bulk = Zone(folder, "bulk.test.", is_signed=False)
        self.unsigned = Zone(folder, "unsigned.test.", is_signed=False)
        self.expired = Zone(folder, "expired.test.")
        self.root.delegate(self.test)
        for child in (self.bulk, self.unsigned, self.expired):
            self.test.delegate(child)
        for zone in (self.root, self.test):
            zone.set("ns.test.", "A", [NAME_SERVER])
        self.test.set("ns-silent.test.", "A", [SILENT_NAME_SERVER])
        self.test.set("ns-lame.test.", "A", [LAME_NAME_SERVER])
        self.trust_anchor_file = folder / "trust-anchor"
        self.trust_anchor_file.write_text(self.root.public_key(), encoding="ascii")
        self.trust_anchor_file.chmod(0o644)
        for zone in self.all():
            zone.write()

    def all(self):
        return (self.root, self.test, self.bulk, self.unsigned, self.expired)

    def zone_of(self, owner):
        """The zone furthest down that holds the name. A delegated name itself belongs to the parent."""
        below = (self.bulk, self.unsigned, self.expired)
        return next((zone for zone in below if owner.endswith(f".{zone.origin}")), self.test)
