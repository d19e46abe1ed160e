#!/usr/bin/env python3
"""Every result that was sent is counted exactly once, however often strictmxd is killed.

Use: result_crash_test.py BUILD_DIR [--kills N] [--seed N]     BUILD_DIR holds strictmxd

Setup: this process binds the socket for results and passes it on (LISTEN_FDS), as systemd does, so
that what waits in the kernel survives the daemon. Senders send numbered and repeating results and
wait when the queue is full. Meanwhile strictmxd is killed by SIGKILL at random moments, at its start
too, and started again on the same store. At last it ends in order, and the store's counters are
compared with what was sent: the sums, and each number once.
"""

import argparse
import array
import fcntl
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
import termios
import time

from result_senders import Sender

SENDERS = 2
# Some lives end before they are ready, most while results pour in.
EARLY_SHARE = 0.2
LONGEST_START_SECONDS = 0.1
LONGEST_LIFE_SECONDS = 0.3
START_SECONDS = 30
NUMBERS_A_DOMAIN = 400  # below the bound on kinds of failure of one domain
END_SECONDS = 120
PAUSE_EVERY = 200  # so that the store keeps up with a sender that never rests
PAUSE_SECONDS = 0.004


class World:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.path = folder / "tlsrpt.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.log = open(folder / "log", "ab")
        self.config = folder / "strictmx.toml"
        self.config.write_text(f"""
user = "root"
[listen]
socketmap = ["unix:{folder}/strictmx.sock"]
results = ["unix:{self.path}"]
control = "unix:{folder}/control.sock"
admin = ""
[store]
path = "{folder}/state/strictmx.db"
""")
        self.config.chmod(0o644)

    def start(self):
        # The shell knows the pid that strictmxd will have (sd_listen_fds(3)).
        command = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" --config "$1"'
        return subprocess.Popen(
            ["/bin/sh", "-c", command, str(self.build / "strictmxd"), str(self.config)],
            stderr=self.log, pass_fds=[3], preexec_fn=lambda: os.dup2(self.socket.fileno(), 3))

    def waits_in_kernel(self):
        waiting = array.array("i", [0])
        fcntl.ioctl(self.socket, termios.FIONREAD, waiting)
        return waiting[0] > 0

    def live_and_die(self, chance):
        """True: it was killed while it was ready."""
        offset = (self.folder / "log").stat().st_size
        daemon = self.start()
        if chance.random() < EARLY_SHARE:
            time.sleep(chance.uniform(0, LONGEST_START_SECONDS))
        else:
            deadline = time.monotonic() + START_SECONDS
            while not self.is_ready(offset) and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
        daemon.kill()
        daemon.wait()
        return self.is_ready(offset)

    def end_in_order(self):
        """One more life: takes what waits, applies it, ends by SIGTERM."""
        daemon = self.start()
        deadline = time.monotonic() + END_SECONDS
        ready = (self.folder / "log").stat().st_size
        while self.waits_in_kernel() or not self.is_ready(ready):
            if daemon.poll() is not None or time.monotonic() > deadline:
                sys.exit((self.folder / "log").read_text()[-3000:])
            time.sleep(0.05)
        daemon.send_signal(signal.SIGTERM)
        if daemon.wait(END_SECONDS) != 0:
            sys.exit((self.folder / "log").read_text()[-3000:])

    def is_ready(self, offset):
        with open(self.folder / "log", "rb") as log:
            log.seek(offset)
            return b"strictmxd is ready" in log.read()

    def counted(self):
        store = sqlite3.connect(self.folder / "state/strictmx.db")
        sessions = store.execute(
            "SELECT COALESCE(SUM(succeeded), 0), COALESCE(SUM(failed), 0) FROM results "
            "WHERE failure = 0").fetchone()
        failures = store.execute(
            "SELECT text, SUM(failed) FROM results JOIN result_texts ON id = failure "
            "WHERE failure <> 0 GROUP BY text").fetchall()
        store.close()
        return sessions, failures


def check(world, senders):
    """What is wrong, line by line."""
    (succeeded, failed), failures = world.counted()
    numbers = sum(sender.numbers for sender in senders)
    repeats = sum(sender.repeats for sender in senders)
    problems = []
    if succeeded != repeats:
        problems.append(f"repeating results: {repeats} sent, {succeeded} counted")
    if failed != numbers:
        problems.append(f"numbered results: {numbers} sent, {failed} counted")
    seen = {}
    for text, count in failures:
        seen[text[text.index("number-"):].split(",")[0]] = count
    for sender in senders:
        for number in range(sender.numbers):
            count = seen.get(f"number-{sender.name}-{number}", 0)
            if count != 1:
                problems.append(f"number {sender.name}-{number}: counted {count} times")
    # The store's lock keeps a second daemon from what has the store's name, and from nothing else.
    for path in (world.folder / "state").iterdir():
        if not path.name.startswith("strictmx.db"):
            problems.append(f"not the store's own: {path.name}")
    return problems, numbers + repeats


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.randrange(1 << 32) if arguments.seed is None else arguments.seed
    chance = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crash-"))
    try:
        world = World(arguments.build.resolve(), folder)
        senders = [Sender(world.path, str(i), NUMBERS_A_DOMAIN, PAUSE_SECONDS, PAUSE_EVERY) for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        killed_ready = 0
        for _ in range(arguments.kills):
            killed_ready += world.live_and_die(chance)
        for sender in senders:
            sender.is_ending = True
        world.end_in_order()
        for sender in senders:
            sender.join(END_SECONDS)
        # A sender may have sent its last one after the queue was found empty.
        world.end_in_order()
        problems, sent = check(world, senders)
        recovered = (folder / "log").read_text().count("damaged")
        print(f"seed {seed}: {arguments.kills} kills, {killed_ready} of them while it was ready, "
              f"{sent} results sent, {len(problems)} problems, {recovered} damaged spools")
        for problem in problems[:20]:
            print(problem)
        # Guards against a test that shows nothing.
        if killed_ready < arguments.kills // 4 or sent < 100 * arguments.kills:
            print("too little happened between the kills")
            return 1
        return 1 if problems or recovered else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
