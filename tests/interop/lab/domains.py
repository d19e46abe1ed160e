"""Publishes mail domains: MX records, the MTA-STS TXT record, the policy host and its policy."""

from .bad_policy_server import CERTIFICATE_FAULTS, address_of
from .mail_sink_server import KINDS as MX_KINDS
from .mail_sink_server import host_of
from .network import POLICY_HOST, POLICY_HOST_PREFIX

ENFORCE, TESTING, NONE = "enforce", "testing", "none"
MAX_AGE = 604800


def policy_text(mode, mx_patterns, max_age=MAX_AGE):
    lines = (
        ["version: STSv1", f"mode: {mode}"]
        + [f"mx: {pattern}" for pattern in mx_patterns]
        + [f"max_age: {max_age}"]
    )
    return "".join(line + "\r\n" for line in lines)


def character_strings(text):
    """As a zone file has it: a TXT record's strings have at most 255 bytes."""
    return " ".join(f'"{text[at : at + 255]}"' for at in range(0, len(text), 255))


class Domains:
    """Every change is in DNS after publish()."""

    def __init__(self, dns, policy_hosts, certificates, sinks):
        self._dns, self._policy_hosts, self._certificates = dns, policy_hosts, certificates
        for kind in MX_KINDS:
            dns.set(f"{host_of(kind)}.", "A", sinks.address(kind))

    def add(self, domain, mx_kinds=("good",), mode=ENFORCE, patterns=None, policy_id="1"):
        """A domain with these MX hosts in order of preference; mode None: without MTA-STS. Patterns default to the MX hosts."""
        self.add_with_hosts(
            domain, [host_of(kind) for kind in mx_kinds], mode, patterns, policy_id
        )

    def add_with_hosts(self, domain, hosts, mode=None, patterns=None, policy_id="1"):
        """The same, with MX hosts by name."""
        self._dns.set(
            f"{domain}.", "MX", *(f"{10 * number} {host}." for number, host in enumerate(hosts, 1))
        )
        if mode is not None:
            self.serve_policy(domain, policy_text(mode, patterns or hosts))
            self.set_id(domain, policy_id)
            self.point_policy_host(domain)

    def serve_policy(self, domain, text):
        self._policy_hosts.serve(domain, text)

    def set_id(self, domain, policy_id):
        self._dns.set(f"_mta-sts.{domain}.", "TXT", f'"v=STSv1; id={policy_id};"')

    def ask_for_reports(self, domain, *uris):
        """A TLSRPT record (RFC 8460 §3): Postfix sends results for such domains alone. Default: a mailbox of the domain."""
        rua = ",".join(uris or [f"mailto:reports@{domain}"])
        self._dns.set(f"_smtp._tls.{domain}.", "TXT", character_strings(f"v=TLSRPTv1; rua={rua}"))

    def point_policy_host(self, domain, trouble=None):
        """To the good policy host, or to the one with this kind of trouble."""
        host = f"mta-sts.{domain}"
        if trouble in CERTIFICATE_FAULTS:
            self._certificates.chain_file(host, trouble)
        self._dns.set(
            f"{host}.",
            "A",
            POLICY_HOST if trouble is None else address_of(POLICY_HOST_PREFIX, trouble),
        )

    def set_trouble(self, owner, trouble):
        """DNS trouble for this one name: "servfail", "silent" or "bogus"."""
        {
            "servfail": self._dns.make_servfail,
            "silent": self._dns.make_silent,
            "bogus": self._dns.make_bogus,
        }[trouble](f"{owner}.")

    def publish(self):
        self._dns.publish()
