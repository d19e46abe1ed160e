"""The spool of results is full, its disk too: the daemon's own results are lost and counted, and no question waits.

Set-up: the store on a small tmpfs, so that one file of the spool fits; lost-NUMBER.test, whose policy hosts are in trouble.

Flow: a file takes all space that is left, results come by the map `record` until strictmxd takes no more.
    questions are answered as ever; results_own_lost_total says how many failed fetches were not counted
    space is freed: the next failed fetch counts, the lost ones do not come back
"""

import json
import time

from lab.processes import run
from lab.socketmap import Connection, ask
from lab.testing import check, check_equal, wait_until

# Room for the store and for one file of the spool, which has 8 MiB from the start.
SIZE_KIB = 24 * 1024
# As large as a question may be: fewer are needed.
RECORDED = json.dumps(
    {"d": "filling.test", "pr": "x" * 9000, "policies": [{"policy-type": 9, "f": 0}]}
)
MOST_RECORDED = 10000
DOMAINS = [f"lost-{number}.test" for number in range(5)]
RECOVERY_SECONDS = 90

running = {}


def set_up(lab):
    for domain in DOMAINS:
        lab.domains.add(domain)
        lab.domains.point_policy_host(domain, "not-found")
    lab.domains.publish()
    daemon = running["daemon"] = lab.new_daemon()
    owner = daemon.state.stat()
    options = f"size={SIZE_KIB}k,uid={owner.st_uid},gid={owner.st_gid},mode=0750"
    run(["mount", "-t", "tmpfs", "-o", options, "full-spool", daemon.state])
    daemon.start()
    wait_until(lambda: record() == "OK accepted", 20, "results are taken")
    fill(daemon.state / "filler")


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def record(connection=None):
    if connection is None:
        with Connection(running["daemon"].question_socket) as one:
            return one.ask("record", RECORDED)
    return connection.ask("record", RECORDED)


def metric(name):
    _, text = running["daemon"].http("/metrics")
    (line,) = [line for line in text.splitlines() if line.startswith(f"strictmx_{name} ")]
    return int(line.split()[1])


def failed_sessions():
    status, output, error = running["daemon"].strictmx("report", "results", "--json")
    check_equal(status, 0, f"exit status ({error})")
    return sum(
        policy["summary"]["total-failure-session-count"]
        for result in json.loads(output)["results"]
        for policy in result["policies"]
    )


def test_no_question_waits_for_a_full_spool(lab):
    with Connection(running["daemon"].question_socket) as connection:
        for _ in range(MOST_RECORDED):
            answer = record(connection)
            if answer != "OK accepted":
                break
    check(answer.startswith("TEMP "), f"the spool takes more than it can have: {answer}")
    for domain in DOMAINS:
        check_equal(ask(domain, timeout=10), "NOTFOUND ", f"answer for {domain}")
    check_equal(metric("results_own_lost_total"), len(DOMAINS), "results lost")
    check(running["daemon"].is_running(), "strictmxd ended")


def test_counts_again_once_there_is_room(lab):
    daemon = running["daemon"]
    (daemon.state / "filler").unlink()
    wait_until(lambda: record() == "OK accepted", RECOVERY_SECONDS, "results are taken", pause=1)
    daemon.refresh(DOMAINS[0])
    wait_until(lambda: failed_sessions() == 1, RECOVERY_SECONDS, "the failed fetch", pause=1)
    time.sleep(2)
    check_equal(failed_sessions(), 1, "failed sessions")
    check_equal(metric("results_own_lost_total"), len(DOMAINS), "results lost")
