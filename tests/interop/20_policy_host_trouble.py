"""The policy host is in trouble, with and without a live cached policy (RFC 8461 §3.3, §10.2).

Set-up: for each kind of trouble first-KIND.test, in trouble from the beginning, and cached-KIND.test, whose enforce
policy strictmxd fetches before the trouble begins; then a new id makes it fetch again. The only MX of all of them
offers no TLS, so an enforced policy holds the mail and no policy lets it go.

Flow: Postfix sends to all.
    first-KIND.test: NOTFOUND, delivered as without MTA-STS, perhaps deferred while the first fetch hangs
    cached-KIND.test: still `secure`, still enforced
"""

import time
from concurrent.futures import ThreadPoolExecutor

from lab.bad_policy_server import KINDS
from lab.dns_zones import OLD_DNS_SECONDS
from lab.lab import POSTFIX_INSTANCES
from lab.mailing import Mailing
from lab.socketmap import ask
from lab.testing import cases, check, check_equal

INSTANCES = tuple(POSTFIX_INSTANCES)
FIRST = {kind: f"first-{kind}.test" for kind in KINDS}
CACHED = {kind: f"cached-{kind}.test" for kind in KINDS}

running = {}


def set_up(lab):
    for kind in KINDS:
        for domain in (FIRST[kind], CACHED[kind]):
            lab.domains.add(domain, ["stripped"])
        lab.domains.point_policy_host(FIRST[kind], kind)
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon(answer__wait=2, https__timeout=4).start()
    for domain in CACHED.values():
        check(
            daemon.ask_until_settled(domain)[0].startswith("OK secure "),
            f"{domain} gets no policy while its host is well",
        )
    for kind in KINDS:
        lab.domains.set_id(CACHED[kind], "2")
        lab.domains.point_policy_host(CACHED[kind], kind)
    lab.domains.publish()
    time.sleep(OLD_DNS_SECONDS)
    with ThreadPoolExecutor(len(KINDS)) as pool:
        list(pool.map(daemon.refresh, CACHED.values()))


def mailing(lab):
    """Sent when first asked for: the questions before it need no Postfix."""
    letters = Mailing(lab, "trouble", list(FIRST.values()) + list(CACHED.values()))
    if "sent" not in running:
        running["sent"] = True
        letters.send()
        letters.retry_until_delivered(FIRST.values())
    return letters


@cases(KINDS)
def test_without_live_policy_answers_as_if_none(lab, kind):
    check_equal(
        running["daemon"].ask_until_settled(FIRST[kind])[0],
        "NOTFOUND ",
        f"answer for {FIRST[kind]}",
    )


@cases(KINDS)
def test_with_live_policy_answers_it(lab, kind):
    check(
        ask(CACHED[kind], timeout=5).startswith("OK secure match=mx-stripped.hosts.test"),
        f"{CACHED[kind]} lost its policy",
    )


@cases([(instance, kind) for instance in INSTANCES for kind in KINDS])
def test_without_live_policy_delivers(lab, instance, kind):
    mailing(lab).must_be_delivered(instance, FIRST[kind], "stripped")


@cases([(instance, kind) for instance in INSTANCES for kind in KINDS])
def test_with_live_policy_enforces(lab, instance, kind):
    mailing(lab).must_be_held(instance, CACHED[kind])


@cases(KINDS)
def test_failure_is_logged(lab, kind):
    """Every fetch that fails; a failed refresh as a warning (§3.3 and §10.2: SHOULD alert)."""
    lines = running["daemon"].log_text().splitlines()
    first = [line for line in lines if f"policy_domain={FIRST[kind]}" in line]
    check(any("result=sts-" in line for line in first), f"log about {FIRST[kind]}: {first}")
    cached = [line for line in lines if f"policy_domain={CACHED[kind]}" in line]
    check(any("warning" in line for line in cached), f"log about {CACHED[kind]}: {cached}")


def test_redirect_is_not_followed(lab):
    check_equal(
        lab.policy_hosts.requests("redirect-target.test"),
        0,
        "requests at the place the redirect leads to",
    )


def test_trouble_is_not_met_again_at_once(lab):
    """After a failed fetch the next try waits five minutes or more (§3.3): questions get their answer at once."""
    for domain in FIRST.values():
        check_equal(ask(domain, timeout=2), "NOTFOUND ", f"answer for {domain}")
