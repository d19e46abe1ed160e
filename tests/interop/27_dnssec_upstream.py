"""Name servers that strip DNSSEC signatures, begin to, or are down at start (RFC 7672 §2.1, RFC 8461 §2).

Set-up: strictmxd asks a forwarder (lab/dns_forwarder.py), which each test sets to be honest, to strip signatures or to
be down. Postfix has sound DNS all the time. Domains with TLSA, with an enforce policy, with neither, and a forged one:
an enforce policy and an MX host outside it that has TLSA of its own.

Flow:
    stripped from the start, dns.dnssec = auto: a warning; DANE counts for nothing, MTA-STS holds, mail flows
    stripped from the start, dns.dnssec = require: a stored enforce policy holds; what needs DANE waits; without DANE
        answers nothing waits, for an error on the MTA-STS side never defers
    stripped after validation has worked: never less than before, TEMP for what is not known
    mended: DANE works again within a minute, without a restart, also for domains asked for in between
"""

from lab.domains import ENFORCE
from lab.mailing import Mailing
from lab.network import FORWARDER
from lab.socketmap import ask
from lab.testing import cases, check, check_equal, wait_until

INSTANCES = ("3.7-may", "3.10-may", "3.10-dane")
PKIX = "OK secure match=pkix.mx.test servername=hostname"
ONLY, NO = "OK dane-only", "NOTFOUND "
WARNING = "DNSSEC is not validated: the name servers give no validatable answer"

# Domain, MX host, MTA-STS mode; of the forged one the policy allows pkix.mx.test alone.
DOMAINS = [
    ("tlsa", "match-311.mx", None),
    ("wrong-tlsa", "mismatch-3.mx", None),
    ("enforce", "pkix.mx", ENFORCE),
    ("forged", "match-311.mx", ENFORCE),
    ("plain", "stripped.mx", None),
]
# Asked for once each, when nothing of theirs is known yet.
FRESH = ("fresh-1", "fresh-2", "fresh-3")
# Less than it takes until an answer of DANE is looked up anew by itself (48 s at least, dane_resolver.h, kMinLife), and
# more than the first two tests of the name servers take (unbound_resolver.cc, kFirstRetest).
MENDED_SECONDS = 40

running = {}


def name_of(name):
    return f"upstream-{name}.test"


def set_up(lab):
    lab.dane_hosts  # noqa: B018 - puts them into DNS
    for name, host, mode in DOMAINS:
        lab.domains.add_with_hosts(name_of(name), [f"{host}.test"], mode, ["pkix.mx.test"])
    for name in FRESH:
        lab.domains.add_with_hosts(name_of(name), ["match-311.mx.test"])
    lab.domains.add_with_hosts(name_of("fresh-enforce"), ["pkix.mx.test"], ENFORCE)
    lab.dns.publish(*lab.dns.zones.all())


def start(lab, mode, **settings):
    """A new strictmxd behind a forwarder of this mode; None: there is none."""
    if mode is None:
        lab.dns.stop_forwarder()
    else:
        lab.dns.start_forwarder(mode)
    return lab.new_daemon(dns__resolvers=[FORWARDER], postfix__dane=True, **settings).start()


def validates(daemon):
    _, metrics = daemon.http("/metrics")
    line = next(line for line in metrics.splitlines() if "dns_validating " in line and "#" not in line)
    return line.split()[-1] == "1"


def check_waits(name, answer):
    check(answer.startswith(f"TEMP DANE of {name_of(name)}: "), f"no TEMP: {answer}")


def mailing(lab, label):
    return Mailing(lab, label, [name_of(row[0]) for row in DOMAINS], INSTANCES)


def answers():
    return {
        (name, map_name): ask(name_of(name), map_name)
        for name, *_ in DOMAINS
        for map_name in ("postfix", "QUERY")
    }


def while_stripped(lab):
    """What was seen with dns.dnssec = auto: answers by domain and map. The mail is sent."""
    if "stripped" not in running:
        daemon = running["daemon"] = start(lab, "stripping")
        wait_until(lambda: WARNING in daemon.log_text(), 20, "the warning is logged")
        running["stripped"] = answers()
        running["validates"] = validates(daemon)
        mailing(lab, "stripped").send()
    return running["stripped"]


def while_required(lab):
    """The same strictmxd, started again with dns.dnssec = require."""
    while_stripped(lab)
    if "required" not in running:
        daemon = running["daemon"]
        daemon.stop()
        daemon.configure(dns__dnssec="require")
        daemon.start()
        running["required"] = answers()
        mailing(lab, "required").send()
    return running["required"]


def test_stripped_at_start_dane_counts_for_nothing(lab):
    for (name, map_name), got in while_stripped(lab).items():
        want = PKIX if name in ("enforce", "forged") else NO
        check_equal(got, want, f"answer of {map_name} for {name}")
    check(not running["validates"], "the metrics say that DNSSEC is validated")


@cases(INSTANCES)
def test_stripped_at_start_mail_flows(lab, instance):
    while_stripped(lab)
    letters = mailing(lab, "stripped")
    letters.must_be_delivered(instance, name_of("tlsa"), "dane")
    letters.must_be_delivered(instance, name_of("plain"), "stripped")
    seen = letters.must_be_delivered(instance, name_of("enforce"), "pkix")
    check(seen["tls"] and seen["sni"] == "pkix.mx.test", f"the host of the policy saw {seen}")
    letters.must_be_held(instance, name_of("forged"))


def test_site_with_dane_of_its_own_keeps_it(lab):
    """NOTFOUND leaves a Postfix at level dane with its own, sound DNS."""
    while_stripped(lab)
    letters = mailing(lab, "stripped")
    letters.must_be_held("3.10-dane", name_of("wrong-tlsa"))
    letters.must_be_delivered("3.10-may", name_of("wrong-tlsa"), "dane")


def test_required_nothing_unvalidated_is_used(lab):
    for (name, map_name), got in while_required(lab).items():
        if name in ("enforce", "forged"):
            check_equal(got, PKIX, f"stored policy of {name} in {map_name}")
        else:
            check_waits(name, got)


@cases(INSTANCES)
def test_required_only_stored_policies_let_mail_flow(lab, instance):
    while_required(lab)
    letters = mailing(lab, "required")
    letters.must_be_delivered(instance, name_of("enforce"), "pkix")
    letters.must_be_held(instance, name_of("forged"))
    for name in ("tlsa", "wrong-tlsa", "plain"):
        letters.must_wait(instance, name_of(name))


def test_required_mta_sts_errors_do_not_defer(lab):
    while_required(lab)
    daemon = running["daemon"]
    daemon.configure(postfix__dane=False)
    daemon.reload()
    wait_until(lambda: ask(name_of("plain")) == NO, 20, "postfix.dane = false is in force")
    answer, deferred = daemon.ask_until_settled(name_of("fresh-enforce"))
    check_equal((answer, deferred), (NO, 0), "answer where the TXT record can't be had")
    check_equal(ask(name_of("enforce")), PKIX, "stored policy")


def test_stripped_later_is_no_downgrade(lab):
    daemon = start(lab, "honest")
    check_equal(daemon.ask_until_settled(name_of("enforce"))[0], PKIX, "answer while all is well")
    check_equal(ask(name_of("tlsa"), "QUERY"), ONLY, "answer while all is well")
    check(validates(daemon), "the metrics say that DNSSEC is not validated")
    lab.dns.start_forwarder("stripping")
    for map_name in ("QUERY", "postfix"):
        check_waits("fresh-1", ask(name_of("fresh-1"), map_name))
    check_equal(ask(name_of("tlsa"), "QUERY"), ONLY, "what was known")
    check_equal(ask(name_of("enforce"), "QUERY"), PKIX, "cached policy")
    daemon.refresh(name_of("enforce"))
    check_equal(ask(name_of("enforce"), "QUERY"), PKIX, "cached policy after a refresh that failed")
    check(validates(daemon), "validation was given up")


@cases([("down", "fresh-2"), ("stripping", "fresh-3")])
def test_mended_upstream_brings_dane_back(lab, trouble, name):
    daemon = start(lab, None if trouble == "down" else trouble)
    wait_until(lambda: WARNING in daemon.log_text(), 20, "the warning is logged")
    pid = daemon.pid
    if trouble == "down":
        check_waits("tlsa", ask(name_of("tlsa"), "QUERY"))
    lab.dns.start_forwarder("honest")
    # Not validated yet: this answer is wrong as soon as validation works.
    check_equal(ask(name_of(name), "QUERY"), NO, "answer before the next test of the name servers")
    wait_until(
        lambda: ask(name_of(name), "QUERY") == ONLY, MENDED_SECONDS, "DANE counts again", pause=0.5
    )
    check(validates(daemon) and daemon.pid == pid, "validation works again without a restart")
