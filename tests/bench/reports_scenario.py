"""Reports of a day: strictmxd beside one thread that does the same work and keeps nothing.

Yesterday's results are told as datagrams, then `strictmx report send` makes all reports due at
once. They are ready when the daemon says that all are sent; files and mails are counted then.
"""

import os
import shutil
import tempfile
import threading
import time

import results_scenario
from processes import SINK_PORT, STRICTMX_PORT, BenchError, figures_in
from scenarios import STRICTMX

LIMIT = "one thread"
FOLDER = "reports into a folder"
MAIL = "reports by unsigned mail"
SIGNED = "reports by signed mail"
SENDING = "mails that are ready, over one connection"
WAYS = (FOLDER, MAIL, SIGNED)
QUIET = "before"
BUSY = "while reports leave"
LATENCY = "warm answers, 1 connection"
MANY = "reports of many domains"
DAY = "a day of results"
KINDS = 3
WARM_DOMAINS = 1000
SENT_SECONDS = 900
LOOK_SECONDS = 0.05  # each look costs the daemon some hundred microseconds
SENT = 'report_recipients_total{state="sent"}'


def _settings(recipient, key=None):
    settings = {
        "report.organization": '"Bench"', "report.contact": '"reports@bench.test"',
        "report.from": '"reports@bench.test"',
        "report.smtp_server": f'"127.0.0.1:{SINK_PORT}"',
        "report.max_mails_to_mailbox": "1000000",
        "report_rule": f'[{{domain = "*", recipients = ["{recipient}"]}}]'}
    if key is not None:
        settings["report.dkim_keys"] = f'["bench:{key}"]'
    return settings


class Reporter:
    """strictmxd with the results of yesterday, and where its reports go."""

    def __init__(self, programs, domains, way):
        self._programs = programs
        self._domains = domains
        self._folder = _new_folder(programs)
        shutil.rmtree(programs.file("reports-state"), ignore_errors=True)
        self._sink = programs.smtp_sink()
        self.daemon = None
        recipient = f"file:{self._folder}" if way == FOLDER else "mailto:reports@sink.test"
        key = _key(programs) if way == SIGNED else None
        try:
            self.daemon = results_scenario.Daemon(programs, "reports", _settings(recipient, key))
            told = programs.result_load(socket=self.daemon.socket, domains=domains, kinds=KINDS,
                                        time=int(time.time()) // 86400 * 86400 - 3600)
            self.daemon.await_stored(told["sent"])
        except BenchError:
            self.stop()
            raise

    def send(self):
        """Makes all due, and waits until all are sent; the figures."""
        server = self.daemon.server
        server.forget_peak()
        before_kib = server.rss_kib()
        cpu = server.cpu_seconds()
        start = time.monotonic()
        control = self._programs.file("control.sock")
        self._programs.cli("--set", f'client.control="unix:{control}"', "report", "send")
        while self.sent() < self._domains:
            if time.monotonic() > start + SENT_SECONDS:
                raise BenchError(f"{self.sent()} reports of {self._domains} are sent")
            time.sleep(LOOK_SECONDS)
        return {"seconds": time.monotonic() - start,
                "cpu_ms": (server.cpu_seconds() - cpu) * 1e3 / self._domains,
                "before_kib": before_kib, "peak_kib": server.peak_rss_kib()}

    def sent(self):
        return self.daemon.metric(SENT)

    def stop(self):
        """Ends all; how many files there are, and what the sink tells."""
        if self.daemon is not None:
            self.daemon.server.stop()
        self._sink.stop()
        figures = figures_in(self._sink.log_text().rpartition("ready\n")[2])
        figures["files"] = len([n for n in os.listdir(self._folder) if not n.startswith(".")])
        return figures


def _key(programs):
    path = programs.file("bench-dkim.pem")
    if not os.path.exists(path):
        programs.cli("dkim-key", "--domain", "bench.test", "--selector", "bench", "--out", path)
    return path


def _new_folder(programs):
    """Those before stay: ext4 looks long for an inode that was not freed lately."""
    return tempfile.mkdtemp(prefix="reports-", dir=programs.file(""))


def _round(programs, domains, way):
    reporter = Reporter(programs, domains, way)
    try:
        figures = reporter.send()
    finally:
        arrived = reporter.stop()
    count = arrived["files"] if way == FOLDER else arrived["mails"]
    if count != domains:
        raise BenchError(f"{way}: {count:.0f} reports have arrived, not {domains}")
    return {**figures, "connections": arrived["connections"]}


def _limits(programs, domains):
    """What one thread needs, as rows that compare with those of strictmxd."""
    sink = programs.smtp_sink()
    try:
        steps = programs.report_limit(domains=domains, key=_key(programs),
                                      folder=_new_folder(programs))
    finally:
        sink.stop()
    build, smtp = steps["build_seconds"], steps["smtp_seconds"]
    return {FOLDER: build + steps["write_seconds"], MAIL: build + steps["compose_seconds"] + smtp,
            SIGNED: build + steps["compose_signed_seconds"] + smtp,
            SENDING: smtp}


def _measure_latency(programs, results, scale):
    """Answers to cached questions, before and while signed mails leave."""
    reporter = Reporter(programs, scale.report_domains, SIGNED)
    options = {"connections": 1, "domains": WARM_DOMAINS}
    try:
        programs.load(STRICTMX_PORT, order="sequence", questions=WARM_DOMAINS, **options)
        sending = threading.Thread(target=reporter.send)
        results.add(LATENCY, QUIET, programs.load(STRICTMX_PORT, seconds=scale.seconds, **options))
        sending.start()
        while reporter.sent() == 0:
            time.sleep(0.01)
        results.add(LATENCY, BUSY, programs.load(STRICTMX_PORT, seconds=1, **options))
        if reporter.sent() >= scale.report_domains:
            results.note("all reports had left before the answers were measured")
        sending.join()
    finally:
        reporter.stop()


def _measure_day(programs, results, scale):
    """Many results of one day, in ten parts: memory must not grow with them."""
    shutil.rmtree(programs.file("day-state"), ignore_errors=True)
    daemon = results_scenario.Daemon(programs, "day")
    try:
        figures = {"start_kib": daemon.server.rss_kib()}
        start = time.monotonic()
        sent = 0
        for part in range(10):
            sent += programs.result_load(socket=daemon.socket, count=scale.day_results // 10,
                                         domains=scale.day_domains)["sent"]
            if part == 4:
                daemon.await_stored(sent)
                figures["middle_kib"] = daemon.server.rss_kib()
        daemon.await_stored(sent)
        figures["seconds"] = time.monotonic() - start
        figures["end_kib"] = daemon.server.rss_kib()
    finally:
        daemon.server.stop()
    results.add(DAY, STRICTMX, {**figures, **results_scenario.store_size(daemon)})


def measure(programs, results, scale):
    """Three ways in turn, round by round; then once each what takes long."""
    if not programs.has_strictmx():
        return
    for _ in range(scale.rounds):
        for name, seconds in _limits(programs, scale.report_domains).items():
            results.add(name, LIMIT, {"seconds": seconds})
        for way in WAYS:
            results.add(way, STRICTMX, _round(programs, scale.report_domains, way))
    _measure_latency(programs, results, scale)
    results.add(MANY, STRICTMX, _round(programs, scale.many_report_domains, FOLDER))
    _measure_day(programs, results, scale)
