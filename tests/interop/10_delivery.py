"""Real Postfix delivers, or does not, to MX hosts good and bad (RFC 8461 §4, §5).

Set-up: strictmxd with an empty store; for each fault of an MX host four domains whose first MX has it:
    KIND-enforce.test, KIND-testing.test, KIND-none.test: that MX alone, policy of this mode
    KIND-second.test: mode enforce, with a second MX that is good and allowed
The policy lists the host with the fault, except for the two forged ones, which stand for an MX record that an
attacker changed: "forged" with a self-signed certificate, "forged-valid" with a perfectly valid one of its own name.
Three Postfix run side by side: 3.7 and 3.10 with the map postfix, and 3.10 with postfix-tlsrpt.

Flow: every instance sends one mail to one recipient in each domain and tries each delivery once; then each test
looks at what the MX hosts were told and what is still queued.
    enforce: the host with the fault hears of no recipient; the mail is queued; the second MX gets it
    testing, none, no policy: delivered to the host with the fault
"""

from lab import domains
from lab.lab import POSTFIX_INSTANCES
from lab.mail_sinks import host_of
from lab.mailing import Mailing
from lab.testing import cases, check, check_equal

BAD_KINDS = (
    "stripped",
    "refused-454",
    "expired",
    "foreign-ca",
    "self-signed",
    "other-name",
    "forged",
    "forged-valid",
)
FORGED = ("forged", "forged-valid")
INSTANCES = tuple(POSTFIX_INSTANCES)
# good-2 is the host of one domain alone, so that what Postfix logs of it is about that domain.
GOOD = (("good-enforce.test", "good-2"), ("wildcard-enforce.test", "good"))
OTHERS = (
    "deep-enforce.test",
    "no-policy.test",
    "child.good-enforce.test",
    "Stripped-ENFORCE.Test",
    "relayed.test",
    "relayed-freely.test",
)


def set_up(lab):
    add = lab.domains.add
    add("good-enforce.test", ["good-2"])
    add("wildcard-enforce.test", patterns=["*.hosts.test"])
    add("deep-enforce.test", ["deep.below"], patterns=["*.hosts.test"])
    add("no-policy.test", ["stripped"], mode=None)
    add("child.good-enforce.test", ["stripped"], mode=None)
    # Postfix relays mail to relayed.test and relayed-freely.test to [smart-relay.test] and [free-relay.test].
    add("smart-relay.test", [], patterns=["smart-relay.test"])
    for relay in ("smart-relay.test.", "free-relay.test."):
        lab.dns.set(relay, "A", lab.sinks.address("stripped"))
    for kind in BAD_KINDS:
        patterns = [host_of("good"), host_of("good-2")] if kind in FORGED else None
        for mode in (domains.ENFORCE, domains.TESTING, domains.NONE):
            add(f"{kind}-{mode}.test", [kind], mode, patterns)
        add(f"{kind}-second.test", [kind, "good"], domains.ENFORCE, patterns)
    lab.domains.publish()
    lab.new_daemon().start()
    mailing(lab).send()


def mailing(lab):
    names = [
        f"{kind}-{flow}.test"
        for kind in BAD_KINDS
        for flow in ("enforce", "testing", "none", "second")
    ]
    return Mailing(lab, "delivery", [domain for domain, _ in GOOD] + names + list(OTHERS))


@cases([(instance, *row) for instance in INSTANCES for row in GOOD])
def test_good_host_gets_it_over_verified_tls(lab, instance, domain, kind):
    seen = mailing(lab).must_be_delivered(instance, domain, kind)
    check(seen["tls"], "delivered without TLS")
    check_equal(seen["sni"], host_of(kind), "SNI (RFC 8461 §7.1)")
    check(seen["version"] in ("TLSv1.2", "TLSv1.3"), f"TLS version {seen['version']}")
    check(
        f"Verified TLS connection established to {host_of(kind)}["
        in lab.postfix(instance).log_text(),
        "Postfix logs no verified TLS",
    )


@cases([(instance, kind) for instance in INSTANCES for kind in BAD_KINDS])
def test_enforce_gives_nothing_to_the_bad_host(lab, instance, kind):
    mailing(lab).must_be_held(instance, f"{kind}-enforce.test")


@cases([(instance, kind) for instance in INSTANCES for kind in BAD_KINDS])
def test_enforce_goes_on_to_the_second_host(lab, instance, kind):
    seen = mailing(lab).must_be_delivered(instance, f"{kind}-second.test", "good")
    check(seen["tls"] and seen["sni"] == host_of("good"), f"second host saw {seen}")


@cases(
    [
        (instance, mode, kind)
        for instance in INSTANCES
        for mode in (domains.TESTING, domains.NONE)
        for kind in BAD_KINDS
    ]
)
def test_other_modes_deliver(lab, instance, mode, kind):
    mailing(lab).must_be_delivered(instance, f"{kind}-{mode}.test", kind)


@cases(INSTANCES)
def test_no_policy_delivers_in_the_clear(lab, instance):
    seen = mailing(lab).must_be_delivered(instance, "no-policy.test", "stripped")
    check(not seen["tls"], "the host offered no TLS")


@cases(INSTANCES)
def test_subdomain_does_not_inherit(lab, instance):
    mailing(lab).must_be_delivered(instance, "child.good-enforce.test", "stripped")


@cases(INSTANCES)
def test_letter_case_of_the_recipient_does_not_matter(lab, instance):
    mailing(lab).must_be_held(instance, "Stripped-ENFORCE.Test")


def test_pattern_stands_for_one_label_with_mx_patterns(lab):
    """`*.hosts.test` does not allow mx-deep.below.hosts.test (§4.1). Postfix without mx_host_pattern cannot tell."""
    mailing(lab).must_be_held("3.10-tlsrpt", "deep-enforce.test")


@cases(FORGED)
def test_forged_host_is_not_even_connected_with_mx_patterns(lab, kind):
    """Postfix 3.10 with mx_host_pattern skips the host before the connection and says so."""
    warning = f"MX name '{host_of(kind)}' does not match STS MX pattern for '{kind}-enforce.test'"
    check(warning in lab.postfix("3.10-tlsrpt").log_text(), f"no warning: {warning}")


@cases(INSTANCES)
def test_policy_of_the_smart_host_holds(lab, instance):
    """Mail through a smart host: its name is the policy domain (§3.4)."""
    mailing(lab).must_be_held(instance, "relayed.test")
    mailing(lab).must_be_delivered(instance, "relayed-freely.test", "stripped")
