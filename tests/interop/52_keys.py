"""How a key names its policy domain (DESIGN.md "Questions", RFC 8461 §3.4).

Set-up: one domain with an enforce policy, one with an international name, one smart host with a policy of its own.

Flow: each spelling gets the policy it must, over TCP and over the UNIX socket.
"""

import json

from lab.mail_sinks import host_of
from lab.socketmap import Connection, ask
from lab.testing import cases, check, check_equal

SECURE = "OK secure match=mx-good.hosts.test servername=hostname"
NOT_FOUND = "NOTFOUND "
INTERNATIONAL = "xn--bcher-kva.test"  # bücher.test

KEYS = {
    "plain": ("named.test", SECURE),
    "upper-case": ("NAMED.Test", SECURE),
    "final-dot": ("named.test.", SECURE),
    "with-port": ("named.test:25", SECURE),
    "smart-host": ("[smart-host.test]", "OK secure match=smart-host.test servername=hostname"),
    "smart-host-port": (
        "[Smart-Host.test]:587",
        "OK secure match=smart-host.test servername=hostname",
    ),
    "a-labels": (INTERNATIONAL, SECURE),
    "u-labels": ("bücher.test", SECURE),
    "u-labels-upper-case": ("BÜCHER.test", SECURE),
    "leading-dot": (".named.test", NOT_FOUND),
    "child": ("child.named.test", NOT_FOUND),
    "top": ("test", NOT_FOUND),
    "ipv4": ("198.18.2.11", NOT_FOUND),
    "ipv4-bracketed": ("[198.18.2.11]", NOT_FOUND),
    "ipv4-bracketed-port": ("[198.18.2.11]:25", NOT_FOUND),
    "ipv6-bracketed": ("[IPv6:2001:db8::1]", NOT_FOUND),
    "ipv6-plain": ("[2001:db8::1]:25", NOT_FOUND),
    "skipped": ("private.skipped.test", NOT_FOUND),
}

running = {}


def set_up(lab):
    for domain in ("named.test", INTERNATIONAL, "private.skipped.test"):
        lab.domains.add(domain)
    lab.domains.add("smart-host.test", patterns=["smart-host.test"])
    lab.domains.publish()
    running["daemon"] = lab.new_daemon(answer__skip_domains=["skipped.test"]).start()


@cases(KEYS)
def test_key(lab, name):
    key, want = KEYS[name]
    check_equal(ask(key), want, f"answer for {key}")


@cases(["anything", "A-z_0-9", "x" * 32])
def test_any_map_name_speaks_to_postfix(lab, map_name):
    check_equal(ask("named.test", map_name), SECURE, f"answer of map {map_name}")


def test_unix_socket_answers_alike(lab):
    with Connection(running["daemon"].question_socket) as connection:
        check_equal(connection.ask("postfix", "named.test"), SECURE, "answer")


def test_postfix_tlsrpt_attributes(lab):
    want = (
        f"{SECURE} policy_type=sts policy_domain=named.test mx_host_pattern={host_of('good')} "
        "{ policy_string = version: STSv1 } { policy_string = mode: enforce } "
        f"{{ policy_string = mx: {host_of('good')} }} {{ policy_string = max_age: 604800 }}"
    )
    for map_name in ("postfix-tlsrpt", "QUERYwithTLSRPT"):
        check_equal(ask("named.test", map_name), want, f"answer of map {map_name}")


def test_json_verdict(lab):
    answer = ask("Named.TEST", "json")
    check(answer.startswith("OK "), f"answer {answer!r}")
    verdict = json.loads(answer[3:])
    for member, want in {
        "version": 1,
        "domain": "named.test",
        "policy": "sts",
        "mode": "enforce",
        "id": "1",
        "mx": [host_of("good")],
        "max_age": 604800,
    }.items():
        check_equal(verdict.get(member), want, f"member {member}")


def test_route_lists_the_hosts(lab):
    verdict = json.loads(ask("named.test", "route").removeprefix("OK "))
    text = json.dumps(verdict)
    check(host_of("good") in text and '"allowed": true' in text, f"verdict {text}")
