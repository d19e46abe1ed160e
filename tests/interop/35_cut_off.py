"""strictmxd is killed, down, or cut off from DNS and HTTPS (RFC 8461 §3.3, §5.1; DESIGN.md "Store").

Set-up: domains whose only MX offers no TLS and whose enforce policy strictmxd has fetched.

Flow: kill -9; DNS goes silent for strictmxd and all policy hosts are out of reach; strictmxd starts again.
    a live enforce policy is answered at once, and Postfix still holds the mail
    an unknown domain delays nobody else
    without strictmxd Postfix defers everything, and delivers once it is back
"""

import contextlib
import threading
import time

from lab import network
from lab.lab import POSTFIX_INSTANCES
from lab.mailing import Mailing
from lab.socketmap import ask
from lab.testing import cases, check, check_equal

INSTANCES = tuple(POSTFIX_INSTANCES)
SECURE = "OK secure match=mx-stripped.hosts.test servername=hostname"
HELD = [f"held-{number}.test" for number in range(10)]

# A power cut may cost the last second of what was stored; a kill after it may cost nothing.
STORED_SECONDS = 2

running = {}


def set_up(lab):
    for domain in HELD:
        lab.domains.add(domain, ["stripped"])
    lab.domains.add("unknown.test")
    lab.domains.add("waits.test", ["good"])
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon(answer__wait=5).start()
    for domain in HELD:
        check_equal(daemon.ask_until_settled(domain)[0], SECURE, f"answer for {domain}")
    time.sleep(STORED_SECONDS)
    daemon.kill()


@contextlib.contextmanager
def cut_off(lab):
    with lab.dns.daemon_resolver_silent(), network.silent(network.POLICY_HOSTS):
        yield


def test_starts_cut_off_with_its_policies(lab):
    with cut_off(lab):
        running["daemon"].start()
        for domain in HELD:
            check_equal(ask(domain, timeout=3), SECURE, f"answer for {domain} after kill -9")


def test_unknown_domain_delays_nobody_while_cut_off(lab):
    with cut_off(lab):
        slow = threading.Thread(target=ask, args=("unknown.test",))
        slow.start()
        for domain in HELD:
            check_equal(ask(domain, timeout=3), SECURE, f"answer for {domain}")
        slow.join()


@cases(INSTANCES)
def test_postfix_holds_the_mail_while_cut_off(lab, instance):
    lab.postfix(instance)
    letters = Mailing(lab, "cut-off", HELD[:3])
    if "sent" not in running:
        running["sent"] = True
        with cut_off(lab):
            letters.send()
    for domain in HELD[:3]:
        letters.must_be_held(instance, domain)


@cases(INSTANCES)
def test_postfix_defers_without_strictmxd_and_delivers_later(lab, instance):
    lab.postfix(instance)
    letters = Mailing(lab, "down", ["waits.test"])
    if "down" not in running:
        running["down"] = True
        running["daemon"].stop()
        letters.send()
        running["held"] = {
            name: not lab.sinks.kinds_told(letters.recipient(name, "waits.test"))
            for name in lab.postfix_names()
        }
        running["daemon"].start()
        letters.retry_until_delivered(["waits.test"])
    check(running["held"][instance], "delivered although no policy could be asked for")
    letters.must_be_delivered(instance, "waits.test", "good")
