"""The servers of a run: how each is started, when it is ready, what it costs, how it is ended."""

import os
import shutil
import signal
import socket
import subprocess
import time

READY_SECONDS = 120
STOP_SECONDS = 30

DO_NOTHING_PORT = 8460
STRICTMX_PORT = 8461
PEER_PORT = 8463
SINK_PORT = 2525
SIGNED_DNS = "127.0.0.2"


class BenchError(Exception):
    """The run cannot go on; the text says why."""


class Server:
    """A started process. Ended by its own id, with what it wrote kept in a log file."""

    def __init__(self, name, command, log, environment=None):
        self.name = name
        self.started = time.monotonic()
        self._log_path = log
        with open(log, "ab") as out:
            self._process = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})})

    @property
    def pid(self):
        return self._process.pid

    def await_word(self, word):
        """Waits until the log holds this word."""
        self._await(lambda: word in self.log_text(), 0.02)

    def await_port(self, port):
        self._await(lambda: _accepts(port), 0.005)

    def _await(self, is_ready, pause):
        end = time.monotonic() + READY_SECONDS
        while not is_ready():
            if self._process.poll() is not None:
                raise BenchError(f"{self.name} ended with {self._process.returncode}:\n"
                                 f"{self.log_text()[-2000:]}")
            if time.monotonic() > end:
                raise BenchError(f"{self.name} is not ready after {READY_SECONDS} s")
            time.sleep(pause)

    def log_text(self):
        with open(self._log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def cpu_seconds(self):
        """User and system time of all its threads, so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_kib(self):
        return self._status_kib("VmRSS")

    def peak_rss_kib(self):
        """The largest since it started, or since forget_peak()."""
        return self._status_kib("VmHWM")

    def forget_peak(self):
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as peak:
            peak.write("5")

    def _status_kib(self, field):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise BenchError(f"no {field} of {self.name}")

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Programs:
    """Starts every program of the benchmark, with its files in one folder."""

    def __init__(self, build, folder):
        self._build = build
        self._folder = folder
        self.ca_file = os.path.join(folder, "bench-ca.pem")
        self.anchor_file = os.path.join(folder, "anchor.key")

    def path(self, name):
        for folder in (self._build, os.path.join(self._build, "tests", "bench")):
            candidate = os.path.join(folder, name)
            if os.access(candidate, os.X_OK):
                return candidate
        return None

    def needed(self, name):
        path = self.path(name)
        if path is None:
            raise BenchError(f"{name} is not in the build folder")
        return path

    def file(self, name):
        return os.path.join(self._folder, name)

    def dns(self):
        server = Server("bench_dns", [self.needed("bench_dns")], self.file("dns.log"))
        server.await_word("ready")
        return server

    def signed_dns(self, prepared):
        """The same zone, signed; the signatures of these domains are made beforehand."""
        command = [self.needed("bench_dns"), "--listen", f"{SIGNED_DNS}:53",
                   "--anchor", self.anchor_file, "--prepare", str(prepared)]
        server = Server("bench_dns signed", command, self.file("signed_dns.log"))
        server.await_word("ready")
        return server

    def https(self, prepared):
        command = [self.needed("bench_https"), "--listen", "0.0.0.0:443", "--ca", self.ca_file,
                   "--prepare", str(prepared)]
        server = Server("bench_https", command, self.file("https.log"))
        server.await_word("ready")
        return server

    def do_nothing(self):
        command = [self.needed("bench_do_nothing_server"), "--listen",
                   f"127.0.0.1:{DO_NOTHING_PORT}"]
        server = Server("do-nothing", command, self.file("do_nothing.log"))
        server.await_port(DO_NOTHING_PORT)
        return server

    def strictmx(self, store, more=None):
        """Not ready yet: the start-up scenario measures that itself. `more`: settings over these."""
        settings = {
            "listen.socketmap": f'["127.0.0.1:{STRICTMX_PORT}"]',
            "listen.results": f'["unix:{self.file("tlsrpt.sock")}"]',
            "listen.control": f'"unix:{self.file("control.sock")}"',
            "listen.admin": '"127.0.0.1:8462"',
            "store.path": f'"{store}"',
            "dns.mode": '"forward"',
            "dns.resolvers": '["127.0.0.1"]',
            "dns.dnssec": '"off"',
            "https.ca_file": f'"{self.ca_file}"',
            "cache.max_entries": "200000",
            "user": '"root"',
            "log.level": '"warning"',
            **(more or {}),
        }
        command = [self.needed("strictmxd")]
        for key, value in settings.items():
            command += ["--set", f"{key}={value}"]
        return Server("strictmxd", command, self.file("strictmxd.log"))

    def validating_settings(self):
        """What strictmxd needs to be told to validate the signed zone."""
        return {"dns.resolvers": f'["{SIGNED_DNS}"]', "dns.dnssec": '"require"',
                "dns.trust_anchor_file": f'"{self.anchor_file}"'}

    def ready_strictmx(self, store, more=None):
        server = self.strictmx(store, more)
        server.await_port(STRICTMX_PORT)
        return server

    def peer(self):
        """Debian's postfix-mta-sts-resolver with its memory cache; never asks DNS again."""
        config = self.file("mta-sts-daemon.yml")
        with open(config, "w", encoding="ascii") as out:
            out.write(f"host: 127.0.0.1\nport: {PEER_PORT}\ncache_grace: 86400\n"
                      "cache:\n  type: internal\n  options:\n    cache_size: 200000\n"
                      "default_zone:\n  strict_testing: false\n  timeout: 4\n")
        server = Server("mta-sts-resolver", ["mta-sts-daemon", "-c", config, "-v", "error"],
                        self.file("peer.log"), {"SSL_CERT_FILE": self.ca_file})
        server.await_port(PEER_PORT)
        return server

    def has_strictmx(self):
        return self.path("strictmxd") is not None

    @staticmethod
    def has_peer():
        return shutil.which("mta-sts-daemon") is not None

    def load(self, port, may_be_wrong=False, **options):
        """Runs question_load; its figures by name. Wrong answers end the run, unless allowed."""
        command = [self.needed("bench_question_load"), "--server", f"127.0.0.1:{port}"]
        return _figures(command, options, may_be_wrong)

    def result_load(self, **options):
        return _figures([self.needed("bench_result_load")], options, False)

    def smtp_sink(self):
        command = [self.needed("bench_smtp_sink"), "--listen", f"127.0.0.1:{SINK_PORT}"]
        server = Server("smtp sink", command, self.file("smtp_sink.log"))
        server.await_word("ready")
        return server

    def report_limit(self, **options):
        command = [self.needed("bench_report_limit"), "--server", f"127.0.0.1:{SINK_PORT}"]
        return _figures(command, options, False)

    def cli(self, *arguments):
        """The operator's command; what it prints."""
        command = [self.needed("strictmx"), *arguments]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                check=False)
        if result.returncode != 0:
            raise BenchError(f"{' '.join(command)}: {result.stderr.strip()}")
        return result.stdout

    def bare_client(self, **options):
        command = [self.needed("bench_bare_client"), "--ca", self.ca_file]
        return _figures(command, options, False)


def _figures(command, options, may_fail):
    for name, value in options.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            check=False)
    if result.returncode != 0 and not (may_fail and result.stdout):
        raise BenchError(f"{os.path.basename(command[0])} failed: {result.stderr.strip()}")
    return figures_in(result.stdout)


def figures_in(text):
    """Lines "name value"."""
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}
