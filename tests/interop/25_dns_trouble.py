"""DNS is in trouble, with and without a live cached policy; and DNS that is only roundabout (RFC 8461 §3.1, §3.3).

Set-up: for each trouble (SERVFAIL, silence, signatures spoiled) and each name (the TXT record's, the policy host's)
two domains: first-..., in trouble from the beginning, and cached-..., whose enforce policy is fetched before. The only
MX of all of them offers no TLS. Besides, domains whose names lead over CNAME records.

Flow:
    first-...: NOTFOUND, delivered as without MTA-STS, perhaps deferred while the first lookup hangs
    cached-...: still `secure`, still enforced
    resolver silent altogether: the cached are still answered at once, and all is well again once it answers
    CNAME chains are followed
"""

import time
from concurrent.futures import ThreadPoolExecutor

from lab import network
from lab.dns_zones import OLD_DNS_SECONDS
from lab.lab import POSTFIX_INSTANCES
from lab.mailing import Mailing
from lab.socketmap import ask
from lab.testing import cases, check_equal, wait_until

INSTANCES = tuple(POSTFIX_INSTANCES)
TROUBLE = [
    (name, trouble) for name in ("txt", "host") for trouble in ("servfail", "silent", "bogus")
]
SECURE = "OK secure match=mx-stripped.hosts.test servername=hostname"

running = {}


def domain_of(state, name, trouble):
    return f"{state}-{name}-{trouble}.test"


def begin_trouble(lab, state, name, trouble):
    domain = domain_of(state, name, trouble)
    lab.domains.set_trouble(("_mta-sts." if name == "txt" else "mta-sts.") + domain, trouble)


def set_up(lab):
    for name, trouble in TROUBLE:
        for state in ("first", "cached"):
            lab.domains.add(domain_of(state, name, trouble), ["stripped"])
        begin_trouble(lab, "first", name, trouble)
    for domain in ("before-silence.test", "in-silence.test", "cname-txt.test", "cname-host.test"):
        lab.domains.add(domain, ["stripped"])
    lead_over_cnames(lab)
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon(answer__wait=2, dns__timeout=3).start()
    before = [domain_of("cached", *row) for row in TROUBLE]
    for domain in before + ["before-silence.test"]:
        check_equal(
            daemon.ask_until_settled(domain)[0], SECURE, f"answer for {domain} while all is well"
        )
    for name, trouble in TROUBLE:
        lab.domains.set_id(domain_of("cached", name, trouble), "2")
        begin_trouble(lab, "cached", name, trouble)
    lab.domains.publish()
    time.sleep(OLD_DNS_SECONDS)
    with ThreadPoolExecutor(len(before)) as pool:
        list(pool.map(daemon.refresh, before))


def lead_over_cnames(lab):
    """The TXT record over a chain of two (§3.1), the policy host over one, as at a provider (§8.2)."""
    lab.dns.set("_mta-sts.cname-txt.test.", "TXT")
    lab.dns.set("_mta-sts.cname-txt.test.", "CNAME", "cname-txt.chain.test.")
    lab.dns.set("cname-txt.chain.test.", "CNAME", "record.provider.test.")
    lab.dns.set("record.provider.test.", "TXT", '"v=STSv1; id=provider;"')
    lab.dns.set("mta-sts.cname-host.test.", "A")
    lab.dns.set("mta-sts.cname-host.test.", "CNAME", "host.provider.test.")
    lab.dns.set("host.provider.test.", "A", network.POLICY_HOST)


def mailing(lab):
    letters = Mailing(
        lab, "dns", [domain_of(state, *row) for row in TROUBLE for state in ("first", "cached")]
    )
    if "sent" not in running:
        running["sent"] = True
        letters.send()
        letters.retry_until_delivered([domain_of("first", *row) for row in TROUBLE])
    return letters


@cases(["cname-txt.test", "cname-host.test"])
def test_cname_is_followed(lab, domain):
    check_equal(running["daemon"].ask_until_settled(domain)[0], SECURE, f"answer for {domain}")


@cases(TROUBLE)
def test_without_live_policy_answers_as_if_none(lab, name, trouble):
    domain = domain_of("first", name, trouble)
    check_equal(running["daemon"].ask_until_settled(domain)[0], "NOTFOUND ", f"answer for {domain}")


@cases(TROUBLE)
def test_with_live_policy_answers_it(lab, name, trouble):
    domain = domain_of("cached", name, trouble)
    check_equal(ask(domain, timeout=5), SECURE, f"answer for {domain}")


@cases([(instance, *row) for instance in INSTANCES for row in TROUBLE])
def test_without_live_policy_delivers(lab, instance, name, trouble):
    mailing(lab).must_be_delivered(instance, domain_of("first", name, trouble), "stripped")


@cases([(instance, *row) for instance in INSTANCES for row in TROUBLE])
def test_with_live_policy_enforces(lab, instance, name, trouble):
    mailing(lab).must_be_held(instance, domain_of("cached", name, trouble))


def test_silent_resolver_delays_no_cached_answer(lab):
    with lab.dns.daemon_resolver_silent():
        for _ in range(20):
            check_equal(
                ask("before-silence.test", timeout=2), SECURE, "answer while the resolver is silent"
            )


def test_silent_resolver_is_forgotten_when_it_answers_again(lab):
    """A DNS failure with nothing cached means no policy for now; it is not remembered as there being none."""
    daemon = running["daemon"]
    with lab.dns.daemon_resolver_silent():
        answer, _ = daemon.ask_until_settled("in-silence.test")
        check_equal(answer, "NOTFOUND ", "answer once the lookup has failed")
    wait_until(
        lambda: ask("in-silence.test") == SECURE,
        90,
        "the policy is found after the resolver answers again",
        pause=1,
    )
