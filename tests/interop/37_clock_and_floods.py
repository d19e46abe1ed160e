"""The wall clock is set by a day, and names without end are asked for (DESIGN.md "Clock", "Store"; RFC 8461 §3.2).

Set-up: an enforce policy with a max_age of two hours, fetched; strictmxd runs with a wall clock that the test sets.

Flow: DNS and policy hosts out of reach; the clock goes a day on: the policy holds; the network is back: it is fetched
anew. Then the same a day back: it holds, no longer than before, and a domain that was absent is not believed so for a
day. The log names each step.
    It starts with a clock a day behind the one its policies were fetched by: they hold for max_age at most.
    40,000 random names (with tests/run.sh --full 200,000) are asked for with room for 2000 in memory: a policy used
on two days still answers from memory, without DNS, and strictmxd has not grown.
"""

import asyncio
import contextlib
import datetime
import os
import random
import time

from lab import network
from lab.domains import MAX_AGE as WEEK
from lab.domains import policy_text
from lab.mail_sinks import host_of
from lab.socketmap import SERVER, ask, netstring
from lab.stepped_time import SteppedTime
from lab.testing import check, check_equal, wait_until

DAY = 86400
MAX_AGE = 7200
SECURE = f"OK secure match={host_of('stripped')} servername=hostname"
# strictmxd looks for what is due every 30 s; an absence is believed for a minute.
SOON_SECONDS = 100

# The whole flood takes minutes; the limits it must not pass are reached early.
FLOOD = 200_000 if os.environ.get("STRICTMX_TEST_FULL") else 40_000
FLOOD_CONNECTIONS = 40
IN_FLIGHT = 25  # on each connection
FLOOD_SECONDS = 120  # for a quarter
ROOM = 2000
# What one name may cost is a small part of this; all of them would be some hundred megabytes.
GROWTH_KILOBYTES = 40_000

running = {}


def set_up(lab):
    for domain in ("stepped.test", "kept.test"):
        lab.domains.add(domain, ["stripped"])
    text = policy_text("enforce", [host_of("stripped")], max_age=MAX_AGE)
    lab.domains.serve_policy("stepped.test", text)
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon(cache__max_entries=ROOM)
    running["clock"] = clock = SteppedTime(daemon.folder)
    daemon.start(env=clock.environment())
    for domain in ("stepped.test", "kept.test"):
        check_equal(daemon.ask_until_settled(domain)[0], SECURE, f"answer for {domain}")


@contextlib.contextmanager
def cut_off(lab):
    with lab.dns.daemon_resolver_silent(), network.silent(network.POLICY_HOSTS):
        yield


def seconds_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def steps_logged(daemon, direction):
    lines = [line for line in daemon.log_text().splitlines() if "wall clock was stepped" in line]
    return sum(f"direction={direction}" in line for line in lines)


def must_hold_and_be_fetched_anew(lab, step, direction):
    daemon, clock = running["daemon"], running["clock"]
    logged = steps_logged(daemon, direction)
    left = seconds_of(daemon.verdict("stepped.test")["expires"]) - clock.now()
    requests = lab.policy_hosts.requests("stepped.test")
    started = time.monotonic()
    with cut_off(lab):
        clock.step(step)
        check_equal(ask("stepped.test", timeout=3), SECURE, f"answer after {direction}")
        verdict = daemon.verdict("stepped.test")
        left_now = seconds_of(verdict["expires"]) - clock.now()
        passed = time.monotonic() - started
        check(abs(left - passed - left_now) < 5, f"{left:.0f} s were left, now {left_now:.0f} s")
        check_equal(steps_logged(daemon, direction), logged + 1, f"steps {direction} in the log")
    wait_until(
        lambda: lab.policy_hosts.requests("stepped.test") > requests,
        SOON_SECONDS,
        "the policy is fetched anew",
    )
    wait_until(
        lambda: abs(seconds_of(daemon.verdict("stepped.test")["fetched"]) - clock.now()) < 60,
        10,
        "the policy is as young as its fetch",
    )
    check_equal(ask("stepped.test"), SECURE, "answer after the fetch")


def test_clock_set_a_day_on(lab):
    must_hold_and_be_fetched_anew(lab, DAY, "forward")


def test_clock_set_a_day_back(lab):
    check_equal(ask("late.test"), "NOTFOUND ", "answer without a policy")
    lab.domains.add("late.test", ["stripped"])
    must_hold_and_be_fetched_anew(lab, -DAY, "back")
    lab.domains.publish()
    wait_until(lambda: ask("late.test") == SECURE, SOON_SECONDS, "the absence is asked for again")


def test_small_steps_are_no_steps(lab):
    daemon, clock = running["daemon"], running["clock"]
    logged = steps_logged(daemon, "forward"), steps_logged(daemon, "back")
    for step in (3540, -3540):
        clock.step(step)
        check_equal(ask("kept.test", timeout=3), SECURE, f"answer after {step} s")
    check_equal(
        (steps_logged(daemon, "forward"), steps_logged(daemon, "back")), logged, "steps logged"
    )


def metric(daemon, name):
    _, text = daemon.http("/metrics")
    lines = [line for line in text.splitlines() if line.startswith(f"strictmx_{name}")]
    check(lines, f"no metric {name}")
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def flood(names):
    """Asks for all of them; how many got each answer."""
    answers = {}
    queue = iter(names)

    async def client():
        reader, writer = await asyncio.open_connection(*SERVER)
        while batch := [netstring(f"postfix {name}") for _, name in zip(range(IN_FLIGHT), queue)]:
            writer.write(b"".join(batch))
            for _ in batch:
                length = int((await reader.readuntil(b":"))[:-1])
                answer = (await reader.readexactly(length + 1))[:-1].decode()
                kind = answer.split(" ", 1)[0]
                answers[kind] = answers.get(kind, 0) + 1
        writer.close()

    await asyncio.wait_for(
        asyncio.gather(*(client() for _ in range(FLOOD_CONNECTIONS))), FLOOD_SECONDS
    )
    return answers


def test_flood_pushes_out_no_policy_that_is_used(lab):
    daemon, clock = running["daemon"], running["clock"]
    daemon.stop()
    clock.step(DAY)
    daemon.start(env=clock.environment())
    check_equal(daemon.ask_until_settled("kept.test")[0], SECURE, "answer on the second day")
    # Back to the true time while it is down, and without the library, which costs time in a flood.
    daemon.stop()
    daemon.configure(log__level="warning")
    daemon.start()
    check_equal(ask("kept.test", timeout=3), SECURE, "answer with a fetch that lies ahead")
    left = seconds_of(daemon.verdict("kept.test")["expires"]) - time.time()
    check(left <= WEEK, f"the policy has {left:.0f} s left, more than its max_age")
    made_up = random.Random(8461)
    names = [f"r{made_up.getrandbits(60):x}.bulk.test" for _ in range(FLOOD)]
    asyncio.run(flood(names[: 2 * ROOM]))
    before = daemon.resident_kilobytes()
    reads = metric(daemon, "cache_store_reads_total")
    answers, resident, started = {}, [before], time.monotonic()
    for first in range(2 * ROOM, FLOOD, FLOOD // 4):
        for kind, count in asyncio.run(flood(names[first : first + FLOOD // 4])).items():
            answers[kind] = answers.get(kind, 0) + count
        resident.append(daemon.resident_kilobytes())
    after = resident[-1]
    print(
        f"# flood: {FLOOD} names in {time.monotonic() - started:.0f} s, answers {answers},"
        f" resident (KiB, before and after each quarter) {resident},"
        f" {metric(daemon, 'cache_domains'):.0f} domains in memory",
        flush=True,
    )
    check_equal(set(answers), {"NOTFOUND"}, "answers to random names")
    check(after - before < GROWTH_KILOBYTES, f"grew from {before} to {after} KiB")
    check(metric(daemon, "cache_domains") <= ROOM, "more domains in memory than there is room for")
    kept_reads = metric(daemon, "cache_store_reads_total")
    with cut_off(lab):
        check_equal(ask("kept.test", timeout=3), SECURE, "answer after the flood")
    check_equal(metric(daemon, "cache_store_reads_total"), kept_reads, "reads of the store for it")
    check(kept_reads >= reads, "the counter of reads goes on")
