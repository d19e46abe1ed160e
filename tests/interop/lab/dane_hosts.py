"""MX hosts with TLSA records, right and wrong, in signed and unsigned zones.

Each is a host name of its own that leads to one of the MX sinks; several lead to the same one.
"""

from . import tlsa
from .mail_sink_server import CERTIFICATE_KIND
from .mail_sinks import host_of
from .network import MX_DOWN

# usage, selector, matching type: all that SMTP can use (RFC 7672 §3.1)
COMBINATIONS = [(u, s, m) for u in (2, 3) for s in (0, 1) for m in (0, 1, 2)]
USAGES = (2, 3)
SMART_HOST_PORT = 2525


class DaneHosts:
    def __init__(self, dns, sinks, certificates):
        self._dns, self._sinks, self._certificates = dns, sinks, certificates
        for row in COMBINATIONS:
            self.add(f"match-{digits(row)}.mx.test", "dane", [self.right("dane", *row)])
        for usage in USAGES:
            self.add(f"mismatch-{usage}.mx.test", "dane", [self.wrong(usage)])
        right, wrong = self.right("dane", 3, 1, 1), self.wrong(3)
        self.add("down.mx.test", None, [right])
        self.add("pkix-mismatch.mx.test", "pkix", [wrong])
        self.add("tlsa-stripped.mx.test", "stripped", [right])
        self.add("tlsa-454.mx.test", "refused-454", [right])
        for usage in (0, 1):
            unusable = self.right("dane", usage, 1, 1)
            self.add(f"unusable-{usage}.mx.test", "dane", [unusable])
            self.add(f"unusable-stripped-{usage}.mx.test", "stripped", [unusable])
        self.add("mixed.mx.test", "dane", [unusable, right])
        for name in ("stripped.mx.test", "stripped.unsigned.test"):
            self.add(name, "stripped", [])
        self.add("pkix.mx.test", "pkix", [])
        # In an unsigned zone TLSA means nothing.
        self.add("tlsa.unsigned.test", "stripped", [right])
        for kind in ("dane", "pkix"):
            self.add(f"servfail-{kind}.mx.test", kind, [])
            dns.make_servfail(f"_25._tcp.servfail-{kind}.mx.test.")
            self.add(f"bogus-{kind}.mx.test", kind, [right])
            dns.make_bogus(f"_25._tcp.bogus-{kind}.mx.test.")
        self.add("host.expired.test", "dane", [])
        self.alias("alias-match.mx.test", "match-311.mx.test")
        self.alias("alias-mismatch.mx.test", "mismatch-3.mx.test")
        # The target is unsigned, the alias is not: TLSA at the alias counts (RFC 7672 §2.2.2).
        self.alias("alias-out.mx.test", "dane.unsigned.test")
        self.add("dane.unsigned.test", "dane", [])
        self.publish_tlsa("alias-out.mx.test", [wrong])
        self.add("relay-match.mx.test", "dane", [wrong])
        self.publish_tlsa("relay-match.mx.test", [right], SMART_HOST_PORT)
        self.add("relay-mismatch.mx.test", "dane", [right])
        self.publish_tlsa("relay-mismatch.mx.test", [wrong], SMART_HOST_PORT)

    def right(self, kind, usage, selector, matching_type):
        """A record that the certificate of this sink matches. Usages 0 and 2 are about the CA."""
        chain = self._certificates.folder / CERTIFICATE_KIND.get(kind, "good")
        leaf = chain / f"{host_of(kind)}.pem"
        file = self._certificates.foreign_ca_file if usage in (0, 2) else leaf
        return tlsa.record(file, usage, selector, matching_type)

    def wrong(self, usage):
        """A record of the lab's other CA: no sink matches it, though "pkix" is fine by that CA."""
        return tlsa.record(self._certificates.ca_file, usage, tlsa.PUBLIC_KEY, tlsa.SHA256)

    def add(self, host, kind, records):
        """kind None: nothing listens there."""
        self._dns.set(f"{host}.", "A", MX_DOWN if kind is None else self._sinks.address(kind))
        self.publish_tlsa(host, records)

    def alias(self, host, target):
        self._dns.set(f"{host}.", "CNAME", f"{target}.")

    def publish_tlsa(self, host, records, port=25):
        self._dns.set(f"_{port}._tcp.{host}.", "TLSA", *records)


def digits(row):
    return "".join(str(number) for number in row)
