#!/usr/bin/env python3
"""Every result is reported exactly once and every report arrives, however often the process is killed.

Use: report_crash_test.py TOOL [--seconds-a-day S] [--seed N]      TOOL: report_crash_tool

Setup: days pass in seconds. This process binds the socket for results and passes it on, so that what
waits in the kernel survives. Senders send numbered and repeating results during two days, midnight
included; meanwhile, and until everything is delivered, the tool is killed by SIGKILL at random
moments and started again on the same store. DNS and recipients fail, hang, and take reports without
saying so, by chance.

Checked: each number is in exactly one report, the sums of the others agree; every report reached both
places its domain names; whatever came more than once came with the same bytes and date.
"""

import argparse
import base64
import gzip
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

from result_senders import Sender

SENDERS = 2
SENDING_DAYS = 1.8
# Reports of the second day are due in the third, and tried for a day more.
ALL_DAYS = 3.3
LONGEST_LIFE_SECONDS = 0.25
LONGEST_START_SECONDS = 0.06
EARLY_SHARE = 0.2
NUMBERS_A_DOMAIN = 100
PAUSE_SECONDS = 0.002
END_SECONDS = 240
RECIPIENTS = 2


class World:
    def __init__(self, tool, folder, seconds_a_day, chance):
        self.tool, self.folder, self.chance = tool, folder, chance
        self.seconds_a_day = seconds_a_day
        self.epoch = time.time()
        self.path = folder / "tlsrpt.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.log = open(folder / "log", "ab")

    def days(self):
        return (time.time() - self.epoch) / self.seconds_a_day

    def start(self):
        arguments = [str(self.tool), str(self.folder), repr(self.epoch),
                     repr(86400 / self.seconds_a_day), str(self.chance.randrange(1 << 30))]
        return subprocess.Popen(
            arguments, stderr=self.log, pass_fds=[3],
            preexec_fn=lambda: os.dup2(self.socket.fileno(), 3))

    def live_and_die(self):
        """True: it was killed while it worked."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        tool = self.start()
        if self.chance.random() < EARLY_SHARE:
            time.sleep(self.chance.uniform(0, LONGEST_START_SECONDS))
        else:
            deadline = time.monotonic() + 30
            while not ready.exists() and tool.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(self.chance.uniform(0, LONGEST_LIFE_SECONDS))
        if tool.poll() is not None:
            sys.exit("it ended by itself: " + (self.folder / "log").read_text()[-3000:])
        tool.kill()
        tool.wait()
        return ready.exists()

    def end_in_order(self):
        """One more life, until nothing waits."""
        tool = self.start()
        deadline = time.monotonic() + END_SECONDS
        while self.days() < ALL_DAYS or self.waiting() > 0:
            if tool.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{self.waiting()} reports wait: "
                         + (self.folder / "log").read_text()[-3000:])
            time.sleep(0.2)
        tool.send_signal(signal.SIGTERM)
        if tool.wait(60) != 0:
            sys.exit((self.folder / "log").read_text()[-3000:])

    def waiting(self):
        # The tool holds its store for itself; what was delivered tells.
        return max(0, len(self.expected()) * RECIPIENTS - len(self.delivered()))

    def expected(self):
        return {domain for domain, _, _, _ in self.outbox()}

    def delivered(self):
        return {(domain, uri) for domain, uri, _, _ in self.outbox()}

    def outbox(self):
        path = self.folder / "outbox"
        if not path.exists():
            return []
        lines = path.read_text(encoding="ascii").split("\n")
        return [line.split(" ") for line in lines[:-1]]


def check(world, senders):
    """What is wrong, line by line; the number of reports and of deliveries."""
    problems = []
    reports, places = {}, {}
    for domain, uri, date, text in world.outbox():
        report = json.loads(gzip.decompress(base64.b64decode(text)))
        key = (domain, report["date-range"]["start-datetime"][:10])
        places.setdefault(key, set()).add(uri)
        known = reports.setdefault(key, (text, date, report))
        if known[:2] != (text, date):
            problems.append(f"{key}: came with other bytes or another date")
    store = sqlite3.connect(world.folder / "strictmx.db")
    stored = store.execute(
        "SELECT DISTINCT domain, date(day * 86400, 'unixepoch') FROM results").fetchall()
    unsettled = store.execute("SELECT COUNT(*) FROM reports WHERE state < 2").fetchone()[0]
    store.close()
    if unsettled:
        problems.append(f"{unsettled} reports are not settled")
    for key in stored:
        missing = RECIPIENTS - len(places.get(key, ()))
        if missing:
            problems.append(f"{key}: {missing} recipients have no report")
    seen, successes = {}, 0
    for _, _, report in reports.values():
        for policy in report["policies"]:
            successes += policy["summary"]["total-successful-session-count"]
            for failure in policy.get("failure-details", []):
                reason = failure["failure-reason-code"]
                seen[reason] = seen.get(reason, 0) + failure["failed-session-count"]
    repeats = sum(sender.repeats for sender in senders)
    if successes != repeats:
        problems.append(f"repeating results: {repeats} sent, {successes} reported")
    for sender in senders:
        for number in range(sender.numbers):
            count = seen.get(f"number-{sender.name}-{number}", 0)
            if count != 1:
                problems.append(f"number {sender.name}-{number}: reported {count} times")
    return problems, len(reports)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", type=pathlib.Path)
    parser.add_argument("--seconds-a-day", type=float, default=None)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    is_full = bool(os.environ.get("STRICTMX_TEST_FULL"))
    seconds_a_day = arguments.seconds_a_day or (150 if is_full else 6)
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    chance = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="reports-"))
    try:
        world = World(arguments.tool.resolve(), folder, seconds_a_day, chance)
        senders = [Sender(world.path, str(i), NUMBERS_A_DOMAIN, PAUSE_SECONDS) for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        kills = killed_ready = 0
        while world.days() < ALL_DAYS - 0.3:
            if world.days() > SENDING_DAYS:
                for sender in senders:
                    sender.is_ending = True
            killed_ready += world.live_and_die()
            kills += 1
        world.end_in_order()
        problems, reports = check(world, senders)
        sent = sum(sender.numbers + sender.repeats for sender in senders)
        print(f"seed {seed}: {kills} kills, {killed_ready} of them at work, {sent} results, "
              f"{reports} reports, {len(world.outbox())} deliveries, {len(problems)} problems")
        for problem in problems[:20]:
            print(problem)
        # Guards against a test that shows nothing.
        if killed_ready < 30 or reports < 20 or len(world.outbox()) <= 2 * reports:
            print("too little happened between the kills")
            return 1
        return 1 if problems else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
