"""The store's disk fills up (issue: "Disk full: serves from memory, says so, recovers").

Set-up: the store on a small tmpfs; one domain with a policy stored.

Flow: a file takes all space that is left.
    known and new domains are answered from memory; log and /healthz say that nothing can be stored
    space is freed: /healthz is well again, what is fetched from then on outlives a kill -9
"""

import time

from lab.processes import run
from lab.socketmap import ask
from lab.testing import check, check_equal, wait_until

# Room for the store and for one file of the results' spool, which has 8 MiB from the start.
SIZE_KIB = 24 * 1024
NEW_DOMAINS = 50
SECURE = "OK secure match=mx-good.hosts.test servername=hostname"
STORED_SECONDS = 2

# How long strictmxd may take to find out that the disk is full, or no longer.
NOTICE_SECONDS = 90

running = {}


def set_up(lab):
    for name in ("stored", "unstored", "stored-later"):
        lab.domains.add(f"{name}.test")
    for number in range(NEW_DOMAINS):
        lab.domains.add(f"fills-{number}.test")
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon()
    owner = daemon.state.stat()
    run(
        [
            "mount",
            "-t",
            "tmpfs",
            "-o",
            f"size={SIZE_KIB}k,uid={owner.st_uid},gid={owner.st_gid},mode=0750",
            "full-disk",
            daemon.state,
        ]
    )
    daemon.start()
    check_equal(
        daemon.ask_until_settled("stored.test")[0], SECURE, "answer before the disk is full"
    )
    time.sleep(STORED_SECONDS)
    running["healthy"] = daemon.http("/healthz")
    fill(daemon.state / "filler")


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_healthz_is_well_before(lab):
    check_equal(running["healthy"][0], 200, "status of /healthz")


def test_answers_from_memory(lab):
    daemon = running["daemon"]
    check_equal(ask("stored.test", timeout=5), SECURE, "answer for a domain known before")
    check_equal(daemon.ask_until_settled("unstored.test")[0], SECURE, "answer for a new domain")
    for number in range(NEW_DOMAINS):
        check_equal(
            daemon.ask_until_settled(f"fills-{number}.test")[0],
            SECURE,
            f"answer for new domain {number}",
        )
    check_equal(
        ask("unstored.test", timeout=5), SECURE, "answer for a domain that cannot be stored"
    )
    check(daemon.is_running(), "strictmxd ended")


def test_says_so(lab):
    daemon = running["daemon"]
    wait_until(
        lambda: daemon.http("/healthz")[0] != 200,
        NOTICE_SECONDS,
        "/healthz says that something is wrong",
        pause=1,
    )
    check(
        "store" in daemon.http("/healthz")[1].lower(),
        f"/healthz does not name the store: {daemon.http('/healthz')[1]!r}",
    )
    lines = [
        line
        for line in daemon.log_text().splitlines()
        if "store" in line and ("error" in line or "warning" in line)
    ]
    check(lines, "no error or warning about the store in the log")
    check(len(lines) < 100, f"{len(lines)} lines about it flood the log")


def test_recovers(lab):
    daemon = running["daemon"]
    (daemon.state / "filler").unlink()
    wait_until(
        lambda: daemon.ask_until_settled("stored-later.test")[0] == SECURE
        and daemon.http("/healthz")[0] == 200,
        NOTICE_SECONDS,
        "/healthz is well again",
        pause=1,
    )
    daemon.refresh("stored-later.test")
    time.sleep(STORED_SECONDS)
    daemon.kill()
    with lab.dns.daemon_resolver_silent():
        daemon.start()
        for domain in ("stored.test", "stored-later.test"):
            check_equal(ask(domain, timeout=3), SECURE, f"answer for {domain} after kill -9")
