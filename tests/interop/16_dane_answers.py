"""What strictmxd answers and explains about DANE, and operators' overrides (RFC 7672 §2.1, §2.2).

Set-up: strictmxd with postfix.dane = false and domains whose MX hosts are those of lab/dane_hosts.py. Some have an
override, set by `strictmx override set`, by an [[override]] in the configuration file, or both; strictmxd is restarted
after they were set. One override ends some seconds later, before the mail is sent.

Flow: each ROW is asked for in the maps QUERY, QUERYwithTLSRPT and postfix, and explained host by host. Then
postfix.dane = true, and the four Postfix with DNSSEC send one mail to each domain with an override:
    mode none: the site's own level decides, so a host with the wrong TLSA gets it where that is "may"
    own patterns: only those hosts, with a certificate for their name
    ended: as though it had never been
"""

import json
import time

from lab.domains import ENFORCE, TESTING
from lab.lab import DANE_INSTANCES
from lab.mailing import Mailing
from lab.socketmap import ask
from lab.testing import cases, check, check_equal, wait_until

PKIX = "OK secure match=pkix.mx.test servername=hostname"
ONLY, SOME, NO, LATER = "OK dane-only", "OK dane", "NOTFOUND ", "TEMP "

# Domain, MX hosts, MTA-STS mode, answer of QUERY, DNSSEC of the MX RRset, state of each host.
ROWS = [
    ("all", ["match-311.mx", "match-200.mx"], None, ONLY, "secure", ["usable", "usable"]),
    ("all-enforce", ["match-311.mx"], ENFORCE, ONLY, "secure", ["usable"]),
    ("some", ["match-311.mx", "pkix.mx"], None, SOME, "secure", ["usable", "absent"]),
    ("some-testing", ["match-311.mx", "pkix.mx"], TESTING, SOME, "secure", ["usable", "absent"]),
    ("some-enforce", ["match-311.mx", "pkix.mx"], ENFORCE, ONLY, "secure", ["usable", "absent"]),
    ("dead-host", ["match-311.mx", "nowhere.mx"], None, ONLY, "secure", ["usable", "no-address"]),
    ("insecure.unsigned", ["match-311.mx"], None, SOME, "insecure", ["usable"]),
    ("enforce.unsigned", ["pkix.mx"], ENFORCE, PKIX, "insecure", ["absent"]),
    ("servfail", ["servfail-pkix.mx"], None, LATER, "secure", ["failed"]),
    ("servfail-some", ["servfail-pkix.mx", "pkix.mx"], None, SOME, "secure", ["failed", "absent"]),
    ("bogus-tlsa", ["bogus-pkix.mx"], None, LATER, "secure", ["bogus"]),
    ("bogus-some", ["bogus-pkix.mx", "match-311.mx"], None, SOME, "secure", ["bogus", "usable"]),
    ("bogus-mx", ["match-311.mx"], None, LATER, "bogus", []),
    ("bogus-mx-enforce", ["pkix.mx"], ENFORCE, PKIX, "bogus", []),
    ("all.expired", ["match-311.mx"], None, LATER, "bogus", []),
    ("host-expired", ["host.expired"], None, LATER, "secure", ["bogus"]),
    ("unusable", ["unusable-1.mx"], None, SOME, "secure", ["unusable"]),
    ("none", ["pkix.mx"], None, NO, "secure", ["absent"]),
    ("none-enforce", ["pkix.mx"], ENFORCE, PKIX, "secure", ["absent"]),
    ("host-unsigned", ["tlsa.unsigned"], None, NO, "secure", ["insecure"]),
    ("alias", ["alias-match.mx"], None, ONLY, "secure", ["usable"]),
    ("alias-out", ["alias-out.mx"], None, ONLY, "secure", ["usable"]),
    ("null", [], None, NO, "secure", []),
]
# A bracketed smart host is its own only MX, and its port is part of the TLSA records' name.
SMART_HOSTS = [
    ("[relay-match.mx.test]:2525", ONLY),
    ("[relay-match.mx.test]", ONLY),
    ("[relay-match.mx.test]:587", NO),
    ("[pkix.mx.test]:2525", NO),
]
# Domain, MX host, MTA-STS mode, arguments of `override set`, what becomes of mail at level may, at level dane.
HELD = "held"
BY_COMMAND = [
    ("none", "mismatch-3.mx", None, ["--mode", "none"], "dane", HELD),
    ("testing", "mismatch-3.mx", None, ["--mode", "testing"], "dane", HELD),
    ("forged", "match-311.mx", None, ["--mx", "pkix.mx.test"], HELD, HELD),
    ("patterns", "pkix.mx", None, ["--mx", "*.mx.test"], "pkix", "pkix"),
    ("strict", "pkix.mx", TESTING, ["--mode", "enforce"], "pkix", "pkix"),
    ("ended", "mismatch-3.mx", None, ["--mode", "none"], HELD, HELD),
]
IN_FILE = [
    ("file", "mismatch-3.mx", None, "none", "dane", HELD),
    ("both", "mismatch-3.mx", None, "none", "dane", HELD),
]
OVERRIDDEN = BY_COMMAND + IN_FILE
ENDS_AFTER_SECONDS = 10

running = {}


def name_of(name):
    return f"answer-{name}.test"


def overridden(name):
    return f"override-{name}.test"


def set_up(lab):
    hosts, dns, add = lab.dane_hosts, lab.dns, lab.domains.add_with_hosts
    for name, mx_hosts, mode, *_ in ROWS:
        add(name_of(name), [f"{host}.test" for host in mx_hosts], mode)
    for name, host, mode, *_ in OVERRIDDEN:
        add(overridden(name), [f"{host}.test"], mode)
    dns.set(f"{name_of('null')}.", "MX", "0 .")
    for name in ("bogus-mx", "bogus-mx-enforce"):
        dns.make_bogus(f"{name_of(name)}.")
    dns.zones.expired.is_expired = True
    dns.publish(*dns.zones.all())
    daemon = running["daemon"] = lab.new_daemon().start()
    set_overrides(daemon)
    daemon.stop()
    in_file = [
        {"domain": overridden(name), "mode": mode, "note": "lab"} for name, _, _, mode, *_ in IN_FILE
    ]
    daemon.configure(override=in_file)
    daemon.start()


def set_overrides(daemon):
    for name, _, _, arguments, *_ in BY_COMMAND:
        if name == "ended":
            running["end"] = time.time() + ENDS_AFTER_SECONDS
            end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(running["end"]))
            arguments = [*arguments, "--until", end]
        set_one(daemon, name, arguments)
    set_one(daemon, "both", ["--mode", "testing"])


def set_one(daemon, name, arguments):
    status, _, errors = daemon.strictmx("override", "set", overridden(name), *arguments)
    check_equal(status, 0, f"status of override set of {name} ({errors})")


def explain(name):
    status, text, errors = running["daemon"].strictmx("explain", name, "--json")
    check(text, f"explain {name}: status {status}, {errors}")
    return json.loads(text)


def settled(key, map_name):
    """The answer once it is no longer that the question is still being worked on."""
    return wait_until(
        lambda: answer if "is not known yet" not in (answer := ask(key, map_name)) else None,
        30,
        f"an answer for {key}",
    )


@cases([row[0] for row in ROWS])
def test_answers(lab, name):
    want = next(row[3] for row in ROWS if row[0] == name)
    domain = name_of(name)
    got = settled(domain, "QUERY")
    if want == LATER:
        check(got.startswith(f"TEMP DANE of {domain}: "), f"no TEMP with its reason: {got}")
        check_equal(settled(domain, "postfix"), NO, "answer without DANE")
        return
    check_equal(got, want, f"answer for {domain}")
    with_attributes = settled(domain, "QUERYwithTLSRPT")
    if want in (ONLY, SOME):
        # Byte for byte what postfix-tlspol's clients know: a blank at the end.
        check_equal(with_attributes, f"{want} ", "answer of QUERYwithTLSRPT")
    elif want == PKIX:
        check(with_attributes.startswith(f"{PKIX} policy_type=sts "), f"got {with_attributes}")
    else:
        check_equal(with_attributes, NO, "answer of QUERYwithTLSRPT")


@cases([row[0] for row in ROWS])
def test_without_dane_only_mta_sts_is_answered(lab, name):
    mode = next(row[2] for row in ROWS if row[0] == name)
    answer = settled(name_of(name), "postfix")
    check_equal(answer.startswith("OK secure match="), mode == ENFORCE, f"secure, not {answer}")
    check(mode == ENFORCE or answer == NO, f"answer without policy: {answer}")


@cases([row[0] for row in SMART_HOSTS])
def test_smart_host_and_port(lab, key):
    check_equal(settled(key, "QUERY"), dict(SMART_HOSTS)[key], f"answer for {key}")


@cases([row[0] for row in ROWS])
def test_explain_shows_each_host(lab, name):
    _, hosts, _, answer, mx, states = next(row for row in ROWS if row[0] == name)
    told = explain(name_of(name))
    check_equal(told["mx"]["dnssec"], mx, "DNSSEC of the MX records")
    want = {f"{host}.test": state for host, state in zip(hosts, states)}
    got = {host: one["state"] for host, one in told["verdict"].get("dane", {}).items()}
    check_equal(got, want, "states of the MX hosts")
    check(told["answers"]["QUERY"].startswith(answer), f"answers: {told['answers']}")


@cases([row[0] for row in ROWS if row[3] == LATER])
def test_explain_gives_the_reason(lab, name):
    told = explain(name_of(name))
    reasons = [one.get("reason") for one in told["verdict"].get("dane", {}).values()]
    reasons.append(told["mx"].get("error"))
    check(any(reasons), f"no reason in {told['verdict']} {told['mx']}")


def test_file_goes_before_command(lab):
    daemon = running["daemon"]
    status, _, errors = daemon.strictmx("override", "set", overridden("file"), "--mode", "testing")
    check(status != 0, "override set against the configuration file succeeds")
    check(f"[[override]] of {overridden('file')}" in errors, f"the conflict is not named: {errors}")
    told = explain(overridden("both"))
    check_equal(told["verdict"]["override"]["mode"], "none", "mode of the override in force")
    check_equal(told["verdict"]["override"]["note"], "lab", "note of the override in force")
    _, text, _ = daemon.strictmx("override", "list", "--json")
    rows = [row for row in json.loads(text)["overrides"] if row["domain"] == overridden("both")]
    check_equal(sorted(row["source"] for row in rows), ["command", "file"], "overrides of it")


def test_explain_shows_what_is_overridden(lab):
    told = explain(overridden("none"))
    check_equal(told["answers"]["QUERY"], NO, "answer")
    check_equal(told["without_override"]["verdict"]["policy"], "tlsa", "policy without override")


def test_override_ends(lab):
    domain = overridden("ended")
    if time.time() < running["end"] - 1:
        check_equal(ask(domain, "QUERY"), NO, "answer while the override holds")
    wait_until(lambda: ask(domain, "QUERY") == ONLY, 30, "the override ends", pause=0.5)
    check(time.time() >= running["end"] - 1, "the override has ended too early")


def mailing(lab):
    letters = Mailing(
        lab, "override", [overridden(row[0]) for row in OVERRIDDEN], tuple(DANE_INSTANCES)
    )
    if "sent" not in running:
        running["sent"] = True
        daemon = running["daemon"]
        daemon.configure(postfix__dane=True)
        daemon.reload()
        wait_until(
            lambda: ask(name_of("all"), "postfix") == ONLY, 20, "postfix.dane = true is in force"
        )
        letters.send()
    return letters


@cases([(instance, row[0]) for instance in DANE_INSTANCES for row in OVERRIDDEN])
def test_mail_follows_the_override(lab, instance, name):
    *_, at_may, at_dane = next(row for row in OVERRIDDEN if row[0] == name)
    want = at_dane if instance.endswith("-dane") else at_may
    if want == HELD:
        mailing(lab).must_be_held(instance, overridden(name))
    else:
        seen = mailing(lab).must_be_delivered(instance, overridden(name), want)
        check(want != "pkix" or seen["tls"], "delivered without TLS")


def test_end_of_an_override_is_logged(lab):
    log = running["daemon"].log_text
    line = f"override has ended policy_domain={overridden('ended')} "
    wait_until(lambda: line in log(), 60, "the end of the override is logged", pause=1)
