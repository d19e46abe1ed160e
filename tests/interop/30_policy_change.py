"""Policies that change: new ids, modes, hosts; policies that expire (RFC 8461 §3.1, §3.2, §5.1, §8.3).

Set-up: one domain a test with an enforce policy that strictmxd has fetched; all lead to the good policy host.

Flow: the domain's owner changes something; `strictmx policies refresh` looks at once, or a question does after the
TXT record's TTL (clamped to 60 s at least). A live policy is answered meanwhile, never delayed.
"""

import time

from lab import domains
from lab.dns_zones import OLD_DNS_SECONDS
from lab.domains import policy_text
from lab.mail_sinks import host_of
from lab.socketmap import ask
from lab.testing import cases, check, check_equal, wait_until

# Past the shortest time after which a question may look for a new id.
ID_CHECK_SECONDS = 60

OLD = "OK secure match=mx-good.hosts.test servername=hostname"
NEW = "OK secure match=mx-good-2.hosts.test servername=hostname"
INVALID_POLICY = "version: STSv1\nmode: strict\nmax_age: 86400\n"
SHORT_LIVED_POLICY = policy_text(domains.ENFORCE, [host_of("good")], max_age=5)
DOMAINS = (
    "on-use",
    "on-refresh",
    "to-none",
    "to-testing",
    "record-gone",
    "new-id-404",
    "new-id-invalid",
    "same-id",
)

running = {}


def set_up(lab):
    for name in DOMAINS:
        lab.domains.add(f"{name}.test")
    lab.domains.add("short-lived.test")
    lab.domains.serve_policy("short-lived.test", SHORT_LIVED_POLICY)
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon().start()
    for name in (*DOMAINS, "short-lived"):
        check_equal(daemon.ask_until_settled(f"{name}.test")[0], OLD, f"answer for {name}.test")
    running["asked"] = time.monotonic()
    lab.domains.serve_policy("short-lived.test", None)
    lab.dns.set("_mta-sts.short-lived.test.", "TXT")
    change(lab, "on-use.test", policy_text(domains.ENFORCE, [host_of("good-2")]))


def change(lab, domain, text):
    """A new policy and a new id, as an owner publishes them (§8.1: first the policy)."""
    lab.domains.serve_policy(domain, text)
    lab.domains.set_id(domain, "2")
    lab.domains.publish()
    time.sleep(OLD_DNS_SECONDS)


def refresh(domain):
    status, output, errors = running["daemon"].refresh(domain)
    return status, output + errors


def test_new_id_is_seen_on_refresh(lab):
    change(lab, "on-refresh.test", policy_text(domains.ENFORCE, [host_of("good-2")]))
    status, text = refresh("on-refresh.test")
    check_equal(status, 0, f"exit status of `strictmx policies refresh` ({text.strip()})")
    wait_until(lambda: ask("on-refresh.test") == NEW, 20, "the new policy is answered")


@cases([domains.NONE, domains.TESTING])
def test_weaker_mode_replaces_enforce_and_is_logged(lab, mode):
    domain = f"to-{mode}.test"
    change(lab, domain, policy_text(mode, [host_of("good")]))
    refresh(domain)
    wait_until(lambda: ask(domain) == "NOTFOUND ", 20, f"mode {mode} is answered")
    lines = [
        line
        for line in running["daemon"].log_text().splitlines()
        if f"policy_domain={domain}" in line and "warning" in line and "downgrade" in line.lower()
    ]
    check(lines, f"no warning about the downgrade of {domain}")


def test_record_gone_does_not_evict(lab):
    lab.dns.set("_mta-sts.record-gone.test.", "TXT")
    lab.domains.serve_policy("record-gone.test", None)
    lab.domains.publish()
    time.sleep(OLD_DNS_SECONDS)
    refresh("record-gone.test")
    check_equal(ask("record-gone.test"), OLD, "answer after the record is gone")


@cases(["new-id-404.test", "new-id-invalid.test"])
def test_new_id_without_valid_policy_keeps_the_old_one(lab, domain):
    change(lab, domain, INVALID_POLICY if "invalid" in domain else None)
    refresh(domain)
    check_equal(ask(domain), OLD, "answer after the failed change")


def test_same_id_is_not_fetched_again(lab):
    before = lab.policy_hosts.requests("same-id.test")
    for _ in range(50):
        check_equal(ask("same-id.test"), OLD, "answer")
    check_equal(lab.policy_hosts.requests("same-id.test"), before, "requests at the policy host")


def test_new_id_is_seen_on_use(lab):
    """One of the last here: the others ran while the TXT record's TTL passed."""
    time.sleep(max(0, running["asked"] + ID_CHECK_SECONDS + 2 - time.monotonic()))
    started = time.monotonic()
    check(ask("on-use.test") in (OLD, NEW), "no live policy is answered")
    check(time.monotonic() - started < 5, "the look for a new id delays the answer")
    wait_until(lambda: ask("on-use.test") == NEW, 30, "the new policy is answered", pause=0.5)


def test_expired_policy_is_not_used(lab):
    """max_age was 5 s and everything about the policy is gone; strictmxd gives each policy 60 s."""
    wait_until(lambda: ask("short-lived.test") == "NOTFOUND ", 30, "the policy expires", pause=1)
