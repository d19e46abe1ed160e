"""Starts a server with its output in a log file, and ends it by its own id."""

import os
import shutil
import signal
import subprocess

# A server that does not end on SIGTERM within this time is killed, and the test told.
STOP_SECONDS = 10


class Process:
    def __init__(self, name, command, log, namespace=None, **options):
        self.name = name
        self.log = log
        prefix = ["ip", "netns", "exec", namespace] if namespace else []
        with open(log, "ab") as output:
            self._child = subprocess.Popen(
                prefix + [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **options,
            )

    @property
    def pid(self):
        return self._child.pid

    def is_running(self):
        return self._child.poll() is None

    def send(self, number):
        if self.is_running():
            os.kill(self.pid, number)

    def wait(self, seconds):
        """The exit status, negative for a signal. Raises subprocess.TimeoutExpired."""
        return self._child.wait(seconds)

    def stop(self):
        """Asks it to end, kills it if it does not; returns whether it ended by itself."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        try:
            self.wait(STOP_SECONDS)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def kill(self):
        self.send(signal.SIGKILL)
        self.wait(STOP_SECONDS)

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as text:
            return text.read()


def run(command, **options):
    """Runs a command to its end; its output when it succeeds, otherwise an exception with that output."""
    options.setdefault("timeout", 60)
    done = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{' '.join(str(part) for part in command)}: status {done.returncode}: {done.stdout.strip()[-600:]}"
        )
    return done.stdout


def missing_programs(names):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in names if shutil.which(name, path=path) is None]
