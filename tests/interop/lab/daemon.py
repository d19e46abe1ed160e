"""strictmxd under test: its configuration, its life, and the ways to look at it."""

import json
import os
import pwd
import signal
import subprocess
import time
import urllib.error
import urllib.request

from .network import DAEMON_RESOLVER
from .processes import Process
from .socketmap import Connection
from .testing import Failed, wait_until

USER = "nobody"
ADMIN = "127.0.0.1:8462"
START_SECONDS = 20


class Daemon:
    """One strictmxd; its folder keeps configuration, store and logs over restarts."""

    def __init__(self, build, folder, trust_anchor_file, ca_file, settings):
        self._build = build
        self.folder = folder
        folder.mkdir()
        user = pwd.getpwnam(USER)
        self.state = folder / "state"
        self.sockets = folder / "run"
        for owned in (self.state, self.sockets):
            owned.mkdir()
        os.chown(self.state, user.pw_uid, user.pw_gid)
        self.question_socket = self.sockets / "strictmx.sock"
        self.control_socket = self.sockets / "control.sock"
        self.result_socket = self.sockets / "tlsrpt.sock"
        self.store = self.state / "strictmx.db"
        self.config_file = folder / "strictmx.toml"
        self._settings = {
            "user": USER,
            "listen.socketmap": ["127.0.0.1:8461", f"unix:{self.question_socket}"],
            "listen.results": [f"unix:{self.result_socket}"],
            "listen.control": f"unix:{self.control_socket}",
            "listen.admin": ADMIN,
            "client.server": f"unix:{self.question_socket}",
            "client.control": f"unix:{self.control_socket}",
            "store.path": str(self.store),
            "dns.mode": "forward",
            "dns.resolvers": [DAEMON_RESOLVER],
            "dns.trust_anchor_file": str(trust_anchor_file),
            "dns.timeout": 3,
            "https.ca_file": str(ca_file),
            "https.timeout": 5,
            "answer.wait": 10,
            "log.level": "debug",
        }
        self._starts = 0
        self._process = None
        self.configure(**settings)

    def configure(self, **settings):
        """Changes settings (a__b stands for a.b) in the file; a running daemon sees them at SIGHUP or its next start."""
        self._settings.update({name.replace("__", "."): value for name, value in settings.items()})
        self.config_file.write_text(toml(self._settings), encoding="utf-8")
        self.config_file.chmod(0o644)

    def command_line(self):
        return [self.program("strictmxd"), "--config", self.config_file]

    def program(self, name):
        return self._build / name

    def launch(self, command=None, **options):
        """Starts it without waiting until it serves."""
        self._starts += 1
        log = self.folder / f"strictmxd-{self._starts}.log"
        self._process = Process("strictmxd", command or self.command_line(), log, **options)
        return self._process

    def start(self, **options):
        process = self.launch(**options)
        wait_until(
            lambda: self.serves() or not process.is_running(), START_SECONDS, "strictmxd serves"
        )
        if not process.is_running():
            raise Failed(f"strictmxd ended at start: {process.log_text()[-500:]}")
        return self

    def error_at_start(self):
        """What it says when it must refuse to start. Fails when it starts, or ends as if all were well."""
        process = self.launch()
        try:
            if self.wait(START_SECONDS) == 0:
                raise Failed("strictmxd ended with status 0 instead of refusing to start")
        finally:
            self.stop()
        return process.log_text()

    def serves(self):
        try:
            with Connection(timeout=2) as connection:
                return connection.ask("postfix", ".nothing") == "NOTFOUND "
        except OSError:
            return False

    @property
    def pid(self):
        return self._process.pid

    def is_running(self):
        return self._process is not None and self._process.is_running()

    def log_text(self):
        return self._process.log_text()

    def send(self, number):
        self._process.send(number)

    def wait(self, seconds):
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"strictmxd still runs after {seconds} s") from None

    def kill(self):
        self._process.kill()

    def stop(self):
        if self.is_running():
            self._process.stop()

    def reload(self):
        self._process.send(signal.SIGHUP)

    def user_ids(self):
        """Real, effective, saved and file system uid of the running process."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith("Uid:"))
        return [int(word) for word in line.split()[1:]]

    def resident_kilobytes(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmRSS:")).split()[1])

    def http(self, path, host=ADMIN, seconds=10):
        """(status, body) from the admin listener."""
        request = urllib.request.Request(f"http://{ADMIN}{path}", headers={"Host": host})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                request, timeout=seconds
            ) as reply:
                return reply.status, reply.read().decode("utf-8")
        except urllib.error.HTTPError as failure:
            return failure.code, failure.read().decode("utf-8")

    def strictmx(self, *words, user=None, seconds=60):
        """Runs the operator's command; (exit status, standard output, standard error)."""
        command = [self.program("strictmx"), "--config", self.config_file, *words]
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            user=user,
        )
        return done.returncode, done.stdout, done.stderr

    def refresh(self, domain):
        """Has a policy looked up anew now, whatever its age; the outcome is not judged here."""
        return self.strictmx("policies", "refresh", domain)

    def verdict(self, domain):
        """The answer of the json map as an object; None without one."""
        with Connection() as connection:
            answer = connection.ask("json", domain)
        return json.loads(answer[3:]) if answer.startswith("OK ") else None

    def ask_until_settled(self, domain, seconds=60):
        """Asks as Postfix does until the answer is no TEMP; (answer, how many TEMP came first)."""
        deferred = 0
        deadline = time.monotonic() + seconds
        while True:
            with Connection() as connection:
                answer = connection.ask("postfix", domain)
            if not answer.startswith("TEMP"):
                return answer, deferred
            if time.monotonic() > deadline:
                raise Failed(f"{domain} still gets {answer!r} after {seconds} s")
            deferred += 1
            time.sleep(0.5)


def toml(settings):
    """Dotted names as TOML dotted keys; JSON's text, lists and numbers are TOML's too. The tables, lists of dicts, last."""
    keys, tables = "", ""
    for name, value in settings.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            tables += "".join(f"[[{name}]]\n{toml(table)}" for table in value)
        else:
            keys += f"{name} = {json.dumps(value)}\n"
    return keys + tables
