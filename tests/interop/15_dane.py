"""Real Postfix under DANE: what is delivered and what must not be (RFC 7672 §2.2, §3.1; RFC 8461 §2).

Set-up: strictmxd with postfix.dane = true and four Postfix that have smtp_dns_support_level = dnssec: 3.7 and 3.10,
each with its own level at "may" and at "dane". The MX hosts are those of lab/dane_hosts.py: `dane` has a certificate that
only TLSA makes good, `pkix` one that everybody accepts, `stripped` offers no STARTTLS.

Flow: every instance sends one mail to one recipient in each domain of ROWS and tries each delivery once; then
strictmxd is told postfix.dane = false, and the three Postfix without DNSSEC, whose level is "may", do the same: they
deliver as though nobody had published TLSA, and MTA-STS holds.
    a host with usable TLSA: a match is required, whatever MTA-STS says of it (§2.2, RFC 8461 §2)
    only unusable TLSA: STARTTLS is required
    a TLSA lookup that fails: the host is not used now; the next one, or the mail waits
    an unsigned MX RRset and an enforce policy: only hosts of the policy, also when a forged one has TLSA of its own
Last: signatures that expire or break under a cached enforce policy, with a Postfix whose resolver does not notice.
"""

import time

from lab.dane_hosts import COMBINATIONS, USAGES, digits
from lab.dns_zones import OLD_DNS_SECONDS
from lab.domains import ENFORCE, TESTING
from lab.lab import BLIND_INSTANCES, DANE_INSTANCES, POSTFIX_INSTANCES
from lab.mailing import Mailing
from lab.socketmap import ask
from lab.testing import cases, check, check_equal

# Held by TLS; held for whatever reason, TEMP among them; returned to the sender. Otherwise the sink that has it.
HELD, WAITS, RETURNED = "held", "waits", "returned"

# Domain, MX hosts in order, MTA-STS mode, what becomes of the mail with DANE and without.
ROWS = [
    *(
        (f"match-{digits(row)}", [f"match-{digits(row)}.mx"], None, "dane", "dane")
        for row in COMBINATIONS
    ),
    *((f"mismatch-{usage}", [f"mismatch-{usage}.mx"], None, HELD, "dane") for usage in USAGES),
    ("mixed", ["mixed.mx"], None, "dane", "dane"),
    ("match-enforce", ["match-311.mx"], ENFORCE, "dane", HELD),
    ("mismatch-enforce", ["pkix-mismatch.mx"], ENFORCE, HELD, "pkix"),
    ("mismatch-testing", ["pkix-mismatch.mx"], TESTING, HELD, "pkix"),
    ("partly-down", ["down.mx", "stripped.mx"], None, "stripped", "stripped"),
    ("partly-mismatch", ["mismatch-3.mx", "stripped.mx"], None, "stripped", "dane"),
    ("partly-enforce", ["down.mx", "pkix.mx"], ENFORCE, HELD, "pkix"),
    ("partly-enforce-second", ["pkix.mx", "match-311.mx"], ENFORCE, "dane", "pkix"),
    ("partly-testing", ["down.mx", "stripped.mx"], TESTING, "stripped", "stripped"),
    ("match.unsigned", ["match-311.mx"], None, "dane", "dane"),
    ("mismatch.unsigned", ["mismatch-3.mx"], None, HELD, "dane"),
    ("forged.unsigned", ["match-311.mx"], ENFORCE, HELD, HELD),
    ("enforce.unsigned", ["pkix.mx"], ENFORCE, "pkix", "pkix"),
    ("unsigned-host", ["tlsa.unsigned"], None, "stripped", "stripped"),
    ("servfail", ["servfail-dane.mx"], None, WAITS, "dane"),
    ("servfail-second", ["servfail-dane.mx", "stripped.mx"], None, "stripped", "dane"),
    ("servfail-enforce", ["servfail-pkix.mx"], ENFORCE, "pkix", "pkix"),
    ("bogus-tlsa", ["bogus-dane.mx"], None, WAITS, "dane"),
    ("bogus-tlsa-second", ["bogus-dane.mx", "stripped.mx"], None, "stripped", "dane"),
    ("bogus-tlsa-enforce", ["bogus-pkix.mx"], ENFORCE, "pkix", "pkix"),
    ("bogus-mx", ["pkix.mx"], None, WAITS, WAITS),
    ("expired-host", ["host.expired"], None, WAITS, WAITS),
    ("first.expired", ["pkix.mx"], None, WAITS, WAITS),
    ("cached.expired", ["pkix.mx"], ENFORCE, WAITS, WAITS),
    ("unusable-0", ["unusable-0.mx"], None, "dane", "dane"),
    ("unusable-1", ["unusable-1.mx"], None, "dane", "dane"),
    ("unusable-stripped-0", ["unusable-stripped-0.mx"], None, HELD, "stripped"),
    ("unusable-stripped-1", ["unusable-stripped-1.mx"], None, HELD, "stripped"),
    ("tlsa-stripped", ["tlsa-stripped.mx"], None, HELD, "stripped"),
    ("tlsa-454", ["tlsa-454.mx"], None, HELD, "refused-454"),
    ("host-alias", ["alias-match.mx"], None, "dane", "dane"),
    ("host-alias-mismatch", ["alias-mismatch.mx"], None, HELD, "dane"),
    ("host-alias-out", ["alias-out.mx"], None, HELD, "dane"),
    ("no-tlsa", ["stripped.mx"], None, "stripped", "stripped"),
    ("no-tlsa.unsigned", ["stripped.mx"], None, "stripped", "stripped"),
    # Not by MX hosts of their own: see set_up().
    ("alias", [], None, "dane", "dane"),
    ("alias-mismatch", [], None, HELD, "dane"),
    ("implicit", [], None, "dane", "dane"),
    ("implicit-mismatch", [], None, HELD, "dane"),
    ("null-mx", [], None, RETURNED, RETURNED),
    ("dane-relayed", [], None, "dane", "dane"),
    ("dane-relayed-wrongly", [], None, HELD, "dane"),
]
# smtp_tls_dane_insecure_mx_policy of 3.7 is "may" where the site's own level is; that of 3.10 is "dane".
EXCEPTIONS = {("3.7-may", "mismatch.unsigned"): "dane"}
# An enforce policy lists the MX hosts, but not those of "forged".
PATTERNS = {"forged.unsigned": ["pkix.mx.test"], "cached-forged": ["pkix.mx.test"]}
# Their policy is fetched while DNS is sound. Domain, MX host, what becomes of the mail of the blind Postfix.
CACHED = [
    ("cached.expired", "pkix.mx", "pkix"),
    ("cached-bogus", "pkix.mx", "pkix"),
    ("cached-forged", "match-311.mx", HELD),
]
MATCHED = [f"match-{digits(row)}" for row in COMBINATIONS] + [
    "mixed",
    "match-enforce",
    "partly-enforce-second",
    "host-alias",
    "alias",
    "implicit",
    "dane-relayed",
]

running = {}


def publish(lab, name, hosts, mode):
    hosts = [f"{host}.test" for host in hosts]
    lab.domains.add_with_hosts(f"{name}.test", hosts, mode, PATTERNS.get(name))


def set_up(lab):
    hosts, dns = lab.dane_hosts, lab.dns
    for name, mx_hosts, mode, *_ in ROWS:
        publish(lab, name, mx_hosts, mode)
    for name, host, _ in CACHED:
        publish(lab, name, [host], ENFORCE)
    for name, target in (("alias", "match-311"), ("alias-mismatch", "mismatch-3")):
        dns.set(f"{name}.test.", "MX")
        dns.set(f"{name}.test.", "CNAME", f"{target}.test.")
    hosts.add("implicit.test", "dane", [hosts.right("dane", 3, 1, 1)])
    hosts.add("implicit-mismatch.test", "dane", [hosts.wrong(3)])
    dns.set("null-mx.test.", "MX", "0 .")
    dns.make_bogus("bogus-mx.test.")
    dns.publish(*dns.zones.all())
    daemon = running["daemon"] = lab.new_daemon(postfix__dane=True).start()
    for name, *_ in CACHED:
        answer = daemon.ask_until_settled(f"{name}.test")[0]
        check(answer.startswith("OK "), f"answer for {name}.test while all is well: {answer}")
    break_signatures(lab)
    lab_mailing(lab, "dane", DANE_INSTANCES).send()
    daemon.configure(postfix__dane=False)
    daemon.reload()
    lab_mailing(lab, "no-dane", POSTFIX_INSTANCES).send()
    lab_mailing(lab, "blind", BLIND_INSTANCES, CACHED).send()


def break_signatures(lab):
    """What strictmxd knew of the MX hosts is forgotten; the policies stay."""
    zones = lab.dns.zones
    zones.expired.is_expired = True
    for name in ("cached-bogus", "cached-forged"):
        lab.dns.make_bogus(f"{name}.test.")
    lab.dns.publish(*zones.all())
    time.sleep(OLD_DNS_SECONDS)
    running["daemon"].stop()
    running["daemon"].start()


def lab_mailing(lab, label, instances, rows=ROWS):
    return Mailing(lab, label, [f"{row[0]}.test" for row in rows], tuple(instances))


def judge(mailing, instance, name, want):
    domain = f"{name}.test"
    if want == HELD:
        mailing.must_be_held(instance, domain)
    elif want == WAITS:
        mailing.must_wait(instance, domain)
    elif want == RETURNED:
        mailing.must_be_returned(instance, domain)
    else:
        return mailing.must_be_delivered(instance, domain, want)
    return None


def wanted(name, column):
    return next(row[column] for row in ROWS if row[0] == name)


@cases([(instance, row[0]) for instance in DANE_INSTANCES for row in ROWS])
def test_with_dane(lab, instance, name):
    want = EXCEPTIONS.get((instance, name)) or wanted(name, 3)
    seen = judge(lab_mailing(lab, "dane", DANE_INSTANCES), instance, name, want)
    if seen and seen["kind"] == "dane":
        check(seen["tls"], "delivered without TLS")


@cases([(instance, name) for instance in DANE_INSTANCES for name in MATCHED])
def test_match_is_verified(lab, instance, name):
    """A certificate that nothing but TLSA vouches for is `Verified` in Postfix's words (§3.1)."""
    letters = lab_mailing(lab, "dane", DANE_INSTANCES)
    seen = letters.must_be_delivered(instance, f"{name}.test", "dane")
    check(
        f"Verified TLS connection established to {seen['sni']}["
        in lab.postfix(instance).log_text(),
        f"Postfix logs no verified TLS to {seen['sni']}",
    )


@cases([(instance, row[0]) for instance in POSTFIX_INSTANCES for row in ROWS])
def test_without_dane(lab, instance, name):
    judge(lab_mailing(lab, "no-dane", POSTFIX_INSTANCES), instance, name, wanted(name, 4))


@cases([(instance, row[0]) for instance in BLIND_INSTANCES for row in CACHED])
def test_cached_policy_holds_while_signatures_are_broken(lab, instance, name):
    want = next(row[2] for row in CACHED if row[0] == name)
    seen = judge(lab_mailing(lab, "blind", BLIND_INSTANCES, CACHED), instance, name, want)
    if seen:
        check(seen["tls"] and seen["sni"] == "pkix.mx.test", f"the host of the policy saw {seen}")


@cases([row[0] for row in CACHED])
def test_cached_policy_is_answered_while_signatures_are_broken(lab, name):
    want = "OK secure match=pkix.mx.test servername=hostname"
    for map_name in ("postfix", "QUERY"):
        check_equal(ask(f"{name}.test", map_name), want, f"answer of {map_name}")
