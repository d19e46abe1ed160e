"""Results of TLS sessions: strictmxd beside a receiver that only counts.

Blocking senders measure how fast results are taken, and what each costs until it is in the store.
Senders that do not wait, as Postfix does, measure how many find the kernel's queue full
(net.unix.max_dgram_qlen, which stays as it is).
"""

import os
import re
import sqlite3
import time
import urllib.request

from processes import BenchError, Server
from scenarios import STRICTMX

COUNTER = "counting receiver"
RATES = (1000, 5000, 10000, 20000)
BLOCKING = "results, blocking, {} domains"
NOT_WAITING = "results, {}/s, not waiting"
STORED_SECONDS = 300
ADMIN = "http://127.0.0.1:8462/metrics"


class Counter:
    """The receiver that only counts."""

    def __init__(self, programs):
        self.socket = programs.file("counter.sock")
        self.server = Server("counter", [programs.needed("bench_result_counter"), "--socket",
                                         self.socket], programs.file("counter.log"))
        self.server.await_word("ready")

    def await_stored(self, _):
        """It keeps nothing."""


class Daemon:
    """strictmxd with an empty store."""

    def __init__(self, programs, name="results", more=None):
        self.store = programs.file(name + "-state/strictmx.db")
        self.server = programs.ready_strictmx(self.store, more)
        self.socket = programs.file("tlsrpt.sock")

    def await_stored(self, count):
        """Until so many results are counted in the store."""
        end = time.monotonic() + STORED_SECONDS
        while self.metric("results_stored_total") < count:
            if time.monotonic() > end:
                raise BenchError(f"not stored: {count - self.metric('results_stored_total')}")
            time.sleep(0.01)

    @staticmethod
    def metric(name):
        with urllib.request.urlopen(ADMIN, timeout=30) as reply:
            text = reply.read().decode()
        return int(re.search(rf"^\w*{re.escape(name)} (\d+)$", text, re.MULTILINE).group(1))


def _round(subject, load):
    """Sends once; the figures, with the CPU time until all is stored."""
    before = subject.server.cpu_seconds()
    start = time.monotonic()
    figures = load(subject.socket)
    subject.await_stored(figures["sent"] + subject.stored)
    figures["stored_seconds"] = time.monotonic() - start
    subject.stored += figures["sent"]
    figures["cpu_s_per_100k"] = (subject.server.cpu_seconds() - before) * 1e5 / figures["sent"]
    figures["rss_kib"] = subject.server.rss_kib()
    return figures


def measure(programs, results, scale):
    """Both receivers in turn, all kinds of load, round by round."""
    subjects = {COUNTER: Counter(programs)}
    if programs.has_strictmx():
        subjects[STRICTMX] = Daemon(programs)
    for subject in subjects.values():
        subject.stored = 0
    try:
        for _ in range(scale.rounds):
            for domains in (1000, scale.memory_domains):
                for name, subject in subjects.items():
                    results.add(BLOCKING.format(f"{domains:,}"), name, _round(
                        subject, lambda path, domains=domains: programs.result_load(
                            socket=path, count=scale.results, domains=domains)))
            for rate in RATES:
                for name, subject in subjects.items():
                    results.add(NOT_WAITING.format(f"{rate:,}"), name, _round(
                        subject, lambda path, rate=rate: programs.result_load(
                            socket=path, count=rate * scale.seconds, rate=rate)))
        if STRICTMX in subjects:
            results.add("results, store", STRICTMX, store_size(subjects[STRICTMX]))
    finally:
        for subject in subjects.values():
            subject.server.stop()


def store_size(daemon):
    """Bytes of the store for each row of counters, after the log was folded in."""
    daemon.server.stop()
    store = sqlite3.connect(daemon.store)
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    rows, = store.execute("SELECT COUNT(*) FROM results").fetchone()
    texts, = store.execute("SELECT COUNT(*) FROM result_texts").fetchone()
    store.close()
    return {"rows": rows, "texts": texts, "bytes_per_row": os.path.getsize(daemon.store) / rows}
