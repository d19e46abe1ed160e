"""Two thousand domains asked for the first time at once, while one policy host hangs (DESIGN.md "Questions").

Set-up: bulk.test. holds 2000 domains with a record and a policy each, and a few whose policy host takes connections
and never speaks.

Flow: 500 connections ask for all of them at once, the hanging ones first.
    the 2000 get their policy, none of them TEMP; the hanging ones get TEMP after answer.wait, alone
"""

import asyncio
import resource
import time

from lab.bad_policy_server import address_of
from lab.mail_sinks import host_of
from lab.network import POLICY_HOST, POLICY_HOST_PREFIX
from lab.domains import policy_text
from lab.socketmap import SERVER, netstring
from lab.testing import check, check_equal

DOMAINS = [f"d{number}.bulk.test" for number in range(2000)]
HANGING = [f"h{number}.bulk.test" for number in range(20)]
CONNECTIONS = 500
NAMES_A_CERTIFICATE = 100
WAIT_SECONDS = 25
SECURE = f"OK secure match={host_of('good')} servername=hostname"

running = {}


def set_up(lab):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    lab.domains.publish()
    text = policy_text("enforce", [host_of("good")])
    for first in range(0, len(DOMAINS), NAMES_A_CERTIFICATE):
        part = DOMAINS[first : first + NAMES_A_CERTIFICATE]
        names = [f"mta-sts.{domain}" for domain in part]
        chain = lab.certificates.chain_file(names[0], more_names=names[1:])
        for domain in part:
            lab.policy_hosts.serve(domain, text, chain)
    for domain in DOMAINS + HANGING:
        lab.dns.set(f"_mta-sts.{domain}.", "TXT", '"v=STSv1; id=1;"')
        lab.dns.set(
            f"mta-sts.{domain}.",
            "A",
            POLICY_HOST if domain in DOMAINS else address_of(POLICY_HOST_PREFIX, "hang"),
        )
    lab.dns.publish(lab.zones.bulk)
    running["daemon"] = lab.new_daemon(
        answer__wait=WAIT_SECONDS, https__timeout=60, dns__timeout=10, log__level="info"
    ).start()
    running["outcome"] = asyncio.run(ask_all())


async def ask_all():
    """domain -> (answer, seconds it took)."""
    outcome = {}
    queue = list(reversed(HANGING + DOMAINS))

    async def client():
        reader, writer = await asyncio.open_connection(*SERVER)
        while queue:
            domain = queue.pop()
            started = time.monotonic()
            writer.write(netstring(f"postfix {domain}"))
            length = int((await reader.readuntil(b":"))[:-1])
            answer = (await reader.readexactly(length + 1))[:-1]
            outcome[domain] = answer.decode(), time.monotonic() - started
        writer.close()

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return outcome


def test_all_others_get_their_policy(lab):
    outcome = running["outcome"]
    wrong = {domain: outcome[domain][0] for domain in DOMAINS if outcome[domain][0] != SECURE}
    check(
        not wrong,
        f"{len(wrong)} of {len(DOMAINS)} get another answer, such as {list(wrong.items())[:3]}",
    )


def test_none_waits_for_the_hanging_host(lab):
    slowest = max(running["outcome"][domain][1] for domain in DOMAINS)
    check(slowest < WAIT_SECONDS, f"one answer took {slowest:.1f} s")


def test_hanging_ones_are_told_to_come_again(lab):
    for domain in HANGING:
        answer, seconds = running["outcome"][domain]
        check(answer.startswith("TEMP "), f"{domain} got {answer!r}")
        check(seconds < WAIT_SECONDS * 2, f"{domain} was answered after {seconds:.0f} s")


def test_each_policy_is_fetched_once(lab):
    for domain in DOMAINS[:50]:
        check_equal(lab.policy_hosts.requests(domain), 1, f"requests for the policy of {domain}")
