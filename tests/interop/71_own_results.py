"""Results that strictmxd has to tell itself (RFC 8460 §4.3.2.2, §4.3.3), beside those of the real Postfix 3.10.

Set-up: KIND-own.test, whose policy host is in trouble of each kind or serves no valid policy; kept-own.test, whose enforce
policy strictmxd fetches before its policy host is in trouble; well-own.test, where all is well; and forged-own.test, whose
first MX host its enforce policy does not name. All ask for reports.

Flow: Postfix sends several mails to each domain, other clients ask about them, the map `route` tells the MX hosts of
forged-own.test many times; strictmxd is killed at once, and starts again. `strictmx report results` then shows one failed
session for each fetch that failed and for the one look-up of MX hosts, whoever asked, and Postfix's own sessions beside
them. Then a second attempt, by `strictmx policies refresh`.
"""

import json
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

from lab.dns_zones import OLD_DNS_SECONDS
from lab.lab import POSTFIX_INSTANCES
from lab.mail_sinks import host_of
from lab.socketmap import ask
from lab.testing import cases, check, check_equal, wait_until

INSTANCE = list(POSTFIX_INSTANCES)[-1]
# Kind of trouble: (result type, what the reason says)
FAILURES = {
    "expired": ("sts-webpki-invalid", r"certificate has expired"),
    "other-name": ("sts-webpki-invalid", r"hostname mismatch"),
    "foreign-ca": ("sts-webpki-invalid", r"certificate"),
    "not-found": ("sts-policy-fetch-error", r"HTTP status 404"),
    "redirect": ("sts-policy-fetch-error", r"HTTP status 301"),
    "wrong-type": ("sts-policy-fetch-error", r"media type is not text/plain"),
    "refused": ("sts-policy-fetch-error", r"refused"),
    "no-address": ("sts-policy-fetch-error", r"mta-sts\.no-address-own\.test: no address in DNS"),
    "invalid": ("sts-policy-invalid", r"max_age is missing"),
}
SERVED_BY_A_GOOD_HOST = {"invalid": "version: STSv1\nmode: enforce\nmx: mx-good.hosts.test\n"}
KEPT, WELL, FORGED, WITHDRAWN = "kept-own.test", "well-own.test", "forged-own.test", "gone-own.test"
EVIL = "mx-evil.hosts.test"
MAILS = 3
ASKERS = 20

running = {}


def domain_of(kind):
    return f"{kind}-own.test"


def everybody():
    return [domain_of(kind) for kind in FAILURES] + [KEPT, WELL, FORGED, WITHDRAWN]


def set_up(lab):
    publish(lab)
    postfix = lab.postfix(INSTANCE)
    daemon = running["daemon"] = lab.new_daemon(
        listen__results=[f"unix:{postfix.result_socket}"], log__level="info", https__timeout=4
    ).start()
    for domain in (KEPT, WITHDRAWN):
        check(daemon.ask_until_settled(domain)[0].startswith("OK secure "), f"{domain}: no policy")
    lab.domains.set_id(KEPT, "2")
    lab.domains.point_policy_host(KEPT, "expired")
    lab.dns.set(f"_mta-sts.{WITHDRAWN}.", "TXT")
    lab.domains.publish()
    time.sleep(OLD_DNS_SECONDS)
    for domain in (KEPT, WITHDRAWN):
        daemon.refresh(domain)
    mails = [[f"own-{mail}@{domain}" for domain in everybody()] for mail in range(MAILS)]
    for number, recipients in enumerate(mails):
        postfix.send(recipients, f"own-{number}@lab.test")
    with ThreadPoolExecutor(ASKERS) as pool:
        asked = [(name, domain) for domain in everybody() for name in ("postfix", "sts-any")]
        list(pool.map(lambda pair: ask(pair[1], map_name=pair[0]), asked * 3))
        running["routes"] = list(pool.map(lambda _: ask(FORGED, map_name="route"), range(ASKERS)))
        list(pool.map(lambda _: ask(FORGED, map_name="json"), range(ASKERS)))
    postfix.wait_until_tried([recipient for mail in mails for recipient in mail])
    running["attempts"] = {domain: attempts(domain) for domain in everybody()}
    daemon.send(signal.SIGKILL)
    daemon.wait(20)
    daemon.start()


def publish(lab):
    for kind in FAILURES:
        lab.domains.add(domain_of(kind))
        if kind in SERVED_BY_A_GOOD_HOST:
            lab.domains.serve_policy(domain_of(kind), SERVED_BY_A_GOOD_HOST[kind])
        elif kind == "no-address":
            lab.dns.set(f"mta-sts.{domain_of(kind)}.", "A")
        else:
            lab.domains.point_policy_host(domain_of(kind), kind)
    for domain in (KEPT, WELL, WITHDRAWN):
        lab.domains.add(domain)
    lab.domains.add_with_hosts(
        FORGED, [EVIL, host_of("good")], mode="enforce", patterns=[host_of("good")]
    )
    lab.dns.set(f"{EVIL}.", "A", lab.sinks.address("good"))
    for domain in everybody():
        lab.domains.ask_for_reports(domain)
    lab.domains.publish()


def attempts(domain):
    """How many fetches have failed, by the log."""
    lines = running["daemon"].log_text().splitlines()
    return sum(f"policy_domain={domain} " in line and "result=sts-" in line for line in lines)


def policies_of(domain, policy_type):
    status, output, error = running["daemon"].strictmx(
        "report", "results", "--domain", domain, "--json"
    )
    check_equal(status, 0, f"exit status ({error})")
    policies = [policy for day in json.loads(output)["results"] for policy in day["policies"]]
    return [one for one in policies if one["policy"]["policy-type"] == policy_type]


def sessions(policies):
    """(succeeded, failed)"""
    return tuple(
        sum(one["summary"][f"total-{result}-session-count"] for one in policies)
        for result in ("successful", "failure")
    )


def wait_for(domain, policy_type, want):
    wait_until(
        lambda: sessions(policies_of(domain, policy_type)) == want,
        30,
        f"{domain} {policy_type}: {want}, has {policies_of(domain, policy_type)}",
    )


@cases(tuple(FAILURES))
def test_failed_fetch_is_one_session(lab, kind):
    domain = domain_of(kind)
    check_equal(running["attempts"][domain], 1, "fetches that have failed")
    wait_for(domain, "sts", (0, 1))
    (policy,) = policies_of(domain, "sts")
    check_equal(policy["policy"]["policy-domain"], domain, "policy domain")
    check("policy-string" not in policy["policy"] or not policy["policy"]["policy-string"], "lines")
    check_failure(policy, *FAILURES[kind])
    # Postfix was told of no policy, so that is what it reports of the mails that went.
    succeeded, failed = sessions(policies_of(domain, "no-policy-found"))
    check(succeeded >= 1, "Postfix has told of no session")
    check_equal(failed, 0, "sessions without a policy that failed")


def check_failure(policy, result_type, reason, count=1):
    (failure,) = policy["failure-details"]
    check_equal(failure["result-type"], result_type, "result type")
    check_equal(failure["failed-session-count"], count, "sessions of this failure")
    check(re.search(reason, failure["failure-reason-code"]), failure["failure-reason-code"])
    for name in ("sending-mta-ip", "receiving-ip"):
        check(not failure.get(name), f"{name} of a session that there was not")


def test_failed_fetch_names_the_policy_that_stays(lab):
    check_equal(running["attempts"][KEPT], 1, "fetches that have failed")
    wait_until(lambda: sessions(policies_of(KEPT, "sts"))[1] == 1, 30, "the failed fetch")
    # Postfix reports its sessions under the same policy.
    (policy,) = policies_of(KEPT, "sts")
    check("mode: enforce" in policy["policy"]["policy-string"], "lines")
    check_equal(policy["policy"]["mx-host"], [host_of("good")], "mx-host")
    check_failure(policy, "sts-webpki-invalid", r"certificate has expired")
    check(policy["summary"]["total-successful-session-count"] >= 1, "no session of Postfix")


@cases((WELL, WITHDRAWN))
def test_no_failure_where_nothing_was_fetched_in_vain(lab, domain):
    wait_until(lambda: sessions(policies_of(domain, "sts"))[0] >= 1, 30, "a session of Postfix")
    check_equal(sessions(policies_of(domain, "sts"))[1], 0, "failed sessions")


def test_forged_mx_host_counts_once_for_a_lookup(lab):
    for answer in running["routes"]:
        hosts = {host["host"]: host["allowed"] for host in json.loads(answer[3:])["hosts"]}
        check_equal(hosts, {EVIL: False, host_of("good"): True}, "MX hosts told")
    wait_until(lambda: sessions(policies_of(FORGED, "sts"))[1] == 1, 30, "the refused MX host")
    (policy,) = policies_of(FORGED, "sts")
    check_equal(policy["policy"]["mx-host"], [host_of("good")], "mx-host")
    check("mode: enforce" in policy["policy"]["policy-string"], "lines")
    check_failure(policy, "validation-failure", r"^mtasts-policy-mx-mismatch$")
    check_equal(policy["failure-details"][0]["receiving-mx-hostname"], EVIL, "MX host")


def test_next_attempt_is_the_next_session(lab):
    domain = domain_of("not-found")
    running["daemon"].refresh(domain)
    wait_for(domain, "sts", (0, 2))
    (policy,) = policies_of(domain, "sts")
    check_failure(policy, *FAILURES["not-found"], count=2)


def test_metrics_agree(lab):
    """Of the process that started after the kill: the refresh alone."""
    _, metrics = running["daemon"].http("/metrics")
    check('strictmx_results_own_total{type="sts-policy-fetch-error"} 1\n' in metrics, "fetch errors")
    check('strictmx_results_own_total{type="validation-failure"} 0\n' in metrics, "MX hosts")
    check("strictmx_results_own_lost_total 0\n" in metrics, "results were lost")
    check('strictmx_results_refused_total{reason="syntax"} 0\n' in metrics, "a result was refused")
