"""The store is corrupt, newer than the program, or in use (DESIGN.md "Store").

Set-up: strictmxd ran with this store, fetched a policy and ended.

Flow: the file is damaged or changed, then strictmxd starts.
    corrupt (all garbage, or a sound head with garbage behind): set aside, loudly; a new one is begun and works
    newer schema: refused with a clear error, the file stays as it was
    in use by a running strictmxd: the second is refused, the first goes on
"""

import contextlib
import os
import sqlite3
import time

from lab.socketmap import ask
from lab.testing import check, check_equal

SECURE = "OK secure match=mx-good.hosts.test servername=hostname"
DOMAIN = "stored-well.test"
NEWER_VERSION = 9999


def set_up(lab):
    lab.domains.add(DOMAIN)
    lab.domains.publish()


def daemon_that_stored(lab):
    """Ended in good order, with a policy in its store."""
    daemon = lab.new_daemon().start()
    check_equal(daemon.ask_until_settled(DOMAIN)[0], SECURE, "answer before the damage")
    time.sleep(1)
    daemon.stop()
    check(daemon.store.exists(), f"no store at {daemon.store}")
    return daemon


def must_work_anew(lab, daemon, garbage):
    log = daemon.log_text()
    loud = [
        line
        for line in log.splitlines()
        if ("error" in line or "warning" in line) and str(daemon.store) in line
    ]
    check(loud, f"the log does not say loudly what became of the store: {log[-500:]}")
    kept = [
        path
        for path in daemon.state.iterdir()
        if path.is_file() and path != daemon.store and garbage in path.read_bytes()
    ]
    check(kept, "the damaged store was not kept")
    check_equal(daemon.ask_until_settled(DOMAIN)[0], SECURE, "answer with the new store")
    time.sleep(2)
    daemon.kill()
    with lab.dns.daemon_resolver_silent():
        daemon.start()
        check_equal(ask(DOMAIN, timeout=3), SECURE, "answer from the new store after kill -9")


def test_all_garbage_is_set_aside(lab):
    daemon = daemon_that_stored(lab)
    garbage = os.urandom(20000)
    daemon.store.write_bytes(garbage)
    daemon.start()
    must_work_anew(lab, daemon, garbage)


def test_garbage_behind_a_sound_head_is_set_aside(lab):
    daemon = daemon_that_stored(lab)
    content = daemon.store.read_bytes()
    garbage = os.urandom(max(len(content) - 4096, 20000))
    daemon.store.write_bytes(content[:4096] + garbage)
    daemon.start()
    daemon.ask_until_settled(DOMAIN)
    time.sleep(1)
    must_work_anew(lab, daemon, garbage)


def test_newer_store_is_refused(lab):
    daemon = daemon_that_stored(lab)
    with contextlib.closing(sqlite3.connect(daemon.store)) as database:
        database.execute(f"PRAGMA user_version = {NEWER_VERSION}")
    error = daemon.error_at_start()
    check(
        str(daemon.store) in error and str(NEWER_VERSION) in error,
        f"the error does not name the file and its version: {error}",
    )
    with contextlib.closing(sqlite3.connect(daemon.store)) as database:
        check_equal(
            database.execute("PRAGMA user_version").fetchone()[0],
            NEWER_VERSION,
            "version of the store afterwards",
        )


def test_store_in_use_is_refused(lab):
    first = lab.new_daemon().start()
    check_equal(first.ask_until_settled(DOMAIN)[0], SECURE, "answer of the first")
    second = lab.another_daemon(
        listen__socketmap=["127.0.0.1:8471"],
        listen__admin="127.0.0.1:8472",
        store__path=str(first.store),
    )
    error = second.error_at_start()
    check(str(first.store) in error, f"the error does not name the store: {error}")
    check_equal(ask(DOMAIN, timeout=5), SECURE, "answer of the first afterwards")
    check_equal(first.http("/healthz")[0], 200, "/healthz of the first afterwards")
