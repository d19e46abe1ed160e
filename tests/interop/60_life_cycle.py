"""strictmxd as a service: signals, privileges, passed sockets, configuration, control and admin listeners.

Set-up: started as root with user = "nobody"; one domain with a fetched policy, some whose policy host hangs.

Flow: each test does what an administrator or systemd does and looks at what strictmxd makes of it.
"""

import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from lab.daemon import ADMIN, USER
from lab.socketmap import SERVER, Connection, ask, netstring
from lab.testing import cases, check, check_equal, wait_until

SECURE = "OK secure match=mx-good.hosts.test servername=hostname"
ANSWER_WAIT = 3
END_SECONDS = 20
# Neither root nor strictmxd's own user.
STRANGER = "games"

running = {}


def set_up(lab):
    lab.domains.add("served.test")
    for number in range(3):
        lab.domains.add(f"service-hangs-{number}.test")
        lab.domains.point_policy_host(f"service-hangs-{number}.test", "hang")
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon(answer__wait=ANSWER_WAIT, https__timeout=30).start()
    check_equal(daemon.ask_until_settled("served.test")[0], SECURE, "answer")


def serving():
    """The running strictmxd; started again where an earlier test left none."""
    if not running["daemon"].is_running():
        running["daemon"].start()
        running["daemon"].ask_until_settled("served.test")
    return running["daemon"]


def test_runs_as_its_user_without_capabilities(lab):
    daemon = serving()
    check_equal(daemon.user_ids(), [pwd.getpwnam(USER).pw_uid] * 4, "user ids")
    with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    check_equal(int(fields["CapEff"], 16) | int(fields["CapPrm"], 16), 0, "capabilities")
    groups = {int(group) for group in fields["Groups"].split()}
    check(groups <= {pwd.getpwnam(USER).pw_gid}, f"supplementary groups {groups}")


def test_terminate_finishes_what_it_answers(lab):
    daemon = serving()
    with Connection() as waiting, Connection() as idle:
        waiting.send(netstring("postfix service-hangs-0.test"))
        time.sleep(0.5)
        daemon.send(signal.SIGTERM)
        check(
            waiting.answer().split(" ")[0] in ("TEMP", "NOTFOUND"),
            "the open question is not answered",
        )
        check(idle.is_closed_by_server(END_SECONDS), "the idle connection stays open")
    check_equal(daemon.wait(END_SECONDS), 0, "exit status")
    daemon.start()
    check_equal(daemon.ask_until_settled("served.test")[0], SECURE, "answer after the restart")


def test_hangup_reads_the_configuration_again(lab):
    daemon = serving()
    pid = daemon.pid
    with Connection() as connection:
        check_equal(connection.ask("postfix", "served.test"), SECURE, "answer before")
        daemon.configure(answer__skip_domains=["served.test"])
        daemon.reload()
        wait_until(
            lambda: connection.ask("postfix", "served.test") == "NOTFOUND ",
            10,
            "skip_domains is heeded on an open connection",
        )
    daemon.configure(answer__skip_domains=[])
    daemon.reload()
    wait_until(lambda: ask("served.test") == SECURE, 10, "the policy is answered again")
    check_equal(daemon.pid, pid, "process id")


def test_hangup_with_a_bad_file_keeps_the_old_settings(lab):
    daemon = serving()
    good = daemon.config_file.read_text(encoding="utf-8")
    daemon.config_file.write_text(good + "answer.no_such_key = 1\n", encoding="utf-8")
    daemon.reload()
    wait_until(lambda: "no_such_key" in daemon.log_text(), 10, "the log names the bad key")
    check_equal(ask("served.test", timeout=5), SECURE, "answer afterwards")
    daemon.config_file.write_text(good, encoding="utf-8")
    daemon.reload()


def refused_at_start(lab, change):
    """The error of a strictmxd that must not start with its configuration file changed like this."""
    other = lab.another_daemon(listen__socketmap=["127.0.0.1:8471"], listen__admin="127.0.0.1:8472")
    change(other.config_file)
    return other.error_at_start()


def test_unknown_key_is_refused_with_file_and_line(lab):
    def add_line(path):
        with open(path, "a", encoding="utf-8") as file:
            file.write("answer.no_such_key = 1\n")
        running["line"] = f"{path}:{len(path.read_text(encoding='utf-8').splitlines())}"

    error = refused_at_start(lab, add_line)
    check(
        running["line"] in error and "no_such_key" in error,
        f"the error does not name file, line and key: {error}",
    )


def test_file_that_others_may_write_is_refused(lab):
    error = refused_at_start(lab, lambda path: path.chmod(0o666))
    check("strictmx.toml" in error, f"the error does not name the file: {error}")


def test_port_in_use_is_refused(lab):
    serving()
    error = lab.another_daemon(listen__admin="127.0.0.1:8472").error_at_start()
    check("8461" in error, f"the error does not name the address: {error}")
    check_equal(ask("served.test", timeout=5), SECURE, "answer of the first afterwards")


def test_passed_socket_loses_no_connection(lab):
    """As systemd's socket activation: who connects before the start is answered after it."""
    daemon = serving()
    daemon.stop()
    with socket.create_server(SERVER, backlog=128) as listener:
        early = Connection()
        early.send(netstring("postfix served.test"))
        # LISTEN_PID is the daemon's own id, known only to the shell that becomes it.
        command = [
            "/bin/sh",
            "-c",
            f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"',
            *daemon.command_line(),
        ]
        os.set_inheritable(listener.fileno(), True)
        daemon.launch([str(word) for word in command], pass_fds=[listener.fileno()])
        wait_until(daemon.serves, END_SECONDS, "strictmxd serves on the socket passed to it")
    check(early.answer().startswith("OK secure"), "the early question is not answered")
    early.close()
    daemon.stop()
    daemon.start()


def test_control_socket_refuses_strangers(lab):
    """By its mode, and by the peer's uid where someone has loosened the mode."""
    daemon = serving()
    check_equal(daemon.control_socket.stat().st_mode & 0o777, 0o600, "mode of the control socket")
    shutil.copy(
        daemon.program("strictmx"), lab.folder
    )  # where a stranger may run it, wherever the build is
    daemon.control_socket.chmod(0o666)
    try:
        done = subprocess.run(
            [
                lab.folder / "strictmx",
                "--config",
                daemon.config_file,
                "policies",
                "purge",
                "served.test",
            ],
            capture_output=True,
            text=True,
            check=False,
            user=STRANGER,
            group=STRANGER,
            extra_groups=[],
            timeout=30,
        )
    finally:
        daemon.control_socket.chmod(0o600)
    check(
        done.returncode not in (0, 126, 127),
        f"the stranger's purge ends with status {done.returncode}: {done.stderr}",
    )
    with lab.dns.daemon_resolver_silent():
        check_equal(ask("served.test", timeout=5), SECURE, "answer after the stranger's attempt")


def test_question_socket_serves_strangers(lab):
    program = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]);"
        "s.sendall(b'19:postfix served.test,'); print(s.recv(1000).decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, serving().question_socket],
        capture_output=True,
        text=True,
        check=False,
        user=STRANGER,
        group=STRANGER,
        extra_groups=[],
        timeout=30,
    )
    check(SECURE in done.stdout, f"stranger's answer: {done.stdout} {done.stderr}")


def test_command_without_daemon_says_so(lab):
    daemon = serving()
    daemon.stop()
    try:
        status, _, errors = daemon.strictmx("query", "served.test")
        check_equal(status, 69, f"exit status of `strictmx query` ({errors.strip()})")
    finally:
        daemon.start()


def test_command_asks_the_daemon(lab):
    status, output, errors = serving().strictmx("query", "served.test")
    check_equal(status, 0, f"exit status ({errors.strip()})")
    check("secure match=mx-good.hosts.test servername=hostname" in output, f"output {output!r}")


def test_metrics_and_health(lab):
    daemon = serving()
    status, text = daemon.http("/metrics")
    check_equal(status, 200, "status of /metrics")
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    check(
        samples
        and all(
            line.startswith("strictmx") and float(line.rsplit(" ", 1)[1]) >= 0 for line in samples
        ),
        "not Prometheus text",
    )
    check_equal(daemon.http("/healthz")[0], 200, "status of /healthz")
    check_equal(daemon.http("/etc/passwd")[0], 404, "status of another path")
    check(
        daemon.http("/metrics", host="attacker.test")[0] in (400, 403, 421),
        "a foreign Host is served",
    )


@cases([("POST", ""), ("POST", "body"), ("PUT", ""), ("DELETE", "")])
def test_admin_takes_get_alone(lab, method, body):
    serving()
    connection = http.client.HTTPConnection(ADMIN, timeout=10)
    connection.request(method, "/metrics", body=body or None)
    reply = connection.getresponse()
    check(400 <= reply.status < 600, f"{method} gets status {reply.status}")
    check(b"strictmx_" not in reply.read(), f"{method} gets the metrics")
    connection.close()


def test_hanging_question_does_not_stop_the_admin_listener(lab):
    slow = threading.Thread(target=ask, args=("service-hangs-1.test",))
    slow.start()
    check_equal(
        serving().http("/healthz", seconds=2)[0], 200, "status of /healthz beside a slow question"
    )
    slow.join()
