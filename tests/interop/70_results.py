"""Results of TLS sessions (RFC 8460) as the real Postfix 3.10 sends them, counted by strictmxd.

Set-up: strictmxd listens for results where Postfix in its chroot sends them; for each state of an MX host a domain
with a TLSRPT record and an enforce policy that allows the host: KIND-results.test; one without a policy; one in
testing mode; one that asks for no reports.

Flow: Postfix with smtp_tlsrpt_enable sends one mail to each domain, and a second one to the good one after strictmxd
was killed and started again. Then `strictmx report results` shows for each domain what Postfix met (§4.3).
"""

import json
import signal

from lab import domains
from lab.lab import POSTFIX_INSTANCES
from lab.mail_sinks import host_of
from lab.testing import cases, check, check_equal, wait_until

INSTANCE = list(POSTFIX_INSTANCES)[-1]
# Kind of MX host: (result type, reason code or None where Postfix gives none)
FAILURES = {
    "stripped": ("starttls-not-supported", None),
    "refused-454": ("starttls-not-supported", None),
    "other-name": ("certificate-host-mismatch", None),
    "expired": ("certificate-expired", None),
    "foreign-ca": ("validation-failure", "unable_to_get_local_issuer_certificate"),
    "self-signed": ("validation-failure", "self-signed_certificate"),
    "broken-tls": ("validation-failure", "tls-handshake-failure"),
}
GOOD, NO_POLICY, TESTING = "good-results.test", "none-results.test", "testing-results.test"
SILENT = "silent-results.test"

running = {}


def domain_of(kind):
    return f"{kind}-results.test"


def set_up(lab):
    for kind in FAILURES:
        lab.domains.add(domain_of(kind), [kind])
    lab.domains.add(GOOD)
    lab.domains.add(SILENT)
    lab.domains.add(NO_POLICY, mode=None)
    lab.domains.add(TESTING, mode=domains.TESTING)
    reporting = [domain_of(kind) for kind in FAILURES] + [GOOD, NO_POLICY, TESTING]
    for domain in reporting:
        lab.domains.ask_for_reports(domain)
    lab.domains.publish()
    postfix = lab.postfix(INSTANCE)
    daemon = running["daemon"] = lab.new_daemon(
        listen__results=[f"unix:{postfix.result_socket}"], log__level="info"
    ).start()
    deliver(postfix, "results-1", reporting + [SILENT])
    wait_until(lambda: sessions(GOOD) == (1, 0), 30, f"a result of {GOOD}")
    daemon.send(signal.SIGKILL)
    daemon.wait(20)
    daemon.start()
    deliver(postfix, "results-2", [GOOD])
    wait_until(lambda: sessions(GOOD) == (2, 0), 30, f"a second result of {GOOD}")


def deliver(postfix, label, names):
    recipients = [f"{label}@{name}" for name in names]
    postfix.send(recipients, f"{label}@lab.test")
    postfix.wait_until_tried(recipients)


def policies_of(domain):
    status, output, error = running["daemon"].strictmx(
        "report", "results", "--domain", domain, "--json"
    )
    check_equal(status, 0, f"exit status ({error})")
    return [policy for day in json.loads(output)["results"] for policy in day["policies"]]


def sessions(domain):
    """(succeeded, failed)"""
    summaries = [policy["summary"] for policy in policies_of(domain)]
    return tuple(
        sum(summary[f"total-{result}-session-count"] for summary in summaries)
        for result in ("successful", "failure")
    )


@cases(tuple(FAILURES))
def test_failure_is_counted_with_its_result_type(lab, kind):
    policies = wait_until(lambda: policies_of(domain_of(kind)), 30, "a result")
    check_equal(len(policies), 1, "policies")
    result_type, reason = FAILURES[kind]
    (failure,) = policies[0]["failure-details"]
    check_equal(failure["result-type"], result_type, "result type (RFC 8460 §4.3)")
    check_equal(failure.get("failure-reason-code"), reason, "reason")
    check_equal(failure["receiving-mx-hostname"], host_of(kind), "receiving MX hostname")
    check_equal(failure["receiving-ip"], lab.sinks.address(kind), "receiving IP")
    check_equal(failure["failed-session-count"], 1, "sessions of this failure")
    check_equal(sessions(domain_of(kind)), (0, 1), "sessions")
    check_policy(policies[0]["policy"], domain_of(kind), host_of(kind))


def check_policy(policy, domain, host):
    check_equal(policy["policy-type"], "sts", "policy type")
    check_equal(policy["policy-domain"], domain, "policy domain")
    check_equal(policy["mx-host"], [host], "mx-host")
    check("mode: enforce" in policy["policy-string"], f"policy strings {policy['policy-string']}")


def test_success_is_counted_over_a_kill(lab):
    check_equal(sessions(GOOD), (2, 0), "sessions")
    (policy,) = policies_of(GOOD)
    check_policy(policy["policy"], GOOD, host_of("good"))
    check_equal(policy["failure-details"], [], "failures")


@cases((NO_POLICY, TESTING))
def test_without_enforced_policy(lab, domain):
    """Postfix is told of no policy in testing mode, so it reports none."""
    (policy,) = policies_of(domain)
    check_equal(policy["policy"]["policy-type"], "no-policy-found", "policy type")
    check_equal(sessions(domain), (1, 0), "sessions")


def test_domain_that_asks_for_no_reports(lab):
    check(lab.postfix(INSTANCE).outcomes(f"results-1@{SILENT}"), "the mail was not tried")
    check_equal(policies_of(SILENT), [], "policies")


def test_metrics_and_table_agree(lab):
    status, output, _ = running["daemon"].strictmx("report", "results")
    check_equal(status, 0, "exit status")
    check_equal(len(output.splitlines()), 1 + len(FAILURES) + 3, "lines of the table")
    _, metrics = running["daemon"].http("/metrics")
    check('strictmx_results_refused_total{reason="syntax"} 0' in metrics, "a result was refused")
