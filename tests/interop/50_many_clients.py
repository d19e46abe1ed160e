"""Many clients at once, silent ones among them, and clients that send in odd ways (DESIGN.md "Questions").

Set-up: one domain with a fetched policy, one whose policy host hangs.

Flow: whatever the others do, who asks gets the right answers in order and soon; silent clients harm nobody.
"""

import contextlib
import resource
import socket
import threading
import time

from lab.socketmap import SERVER, Connection, ask, netstring
from lab.testing import check, check_equal

SECURE = "OK secure match=mx-good.hosts.test servername=hostname"
CLIENTS = 500
# Above strictmxd's listen.max_connections (1024).
TOO_MANY = 1200

running = {}


def set_up(lab):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    lab.domains.add("popular.test")
    for number in range(4):
        lab.domains.add(f"hangs-{number}.test")
        lab.domains.point_policy_host(f"hangs-{number}.test", "hang")
    lab.domains.publish()
    running["daemon"] = daemon = lab.new_daemon(answer__wait=4, https__timeout=30).start()
    check_equal(daemon.ask_until_settled("popular.test")[0], SECURE, "answer")


def open_silent(stack, count):
    """Connections that never finish a request: nothing sent, a length, half a key."""
    for number in range(count):
        connection = stack.enter_context(Connection())
        connection.send((b"", b"1", b"20:postfix pop")[number % 3])


def test_500_clients_half_of_them_silent(lab):
    with contextlib.ExitStack() as stack:
        open_silent(stack, CLIENTS // 2)
        askers = [stack.enter_context(Connection()) for _ in range(CLIENTS // 2)]
        for _ in range(4):
            for connection in askers:
                connection.send(netstring("postfix popular.test"))
            for connection in askers:
                check_equal(connection.answer(), SECURE, "answer among silent clients")
        check_equal(running["daemon"].http("/healthz")[0], 200, "/healthz meanwhile")


def test_more_clients_than_allowed_do_not_shut_out_new_ones(lab):
    with contextlib.ExitStack() as stack:
        for _ in range(TOO_MANY):
            stack.enter_context(Connection())
        check_equal(ask("popular.test", timeout=10), SECURE, "answer for a newcomer")
    check_equal(ask("popular.test", timeout=10), SECURE, "answer afterwards")


def test_pipelined_questions_are_answered_in_order(lab):
    questions = [
        ("popular.test", SECURE),
        (".popular.test", "NOTFOUND "),
        ("192.0.2.1", "NOTFOUND "),
    ] * 1000
    with Connection() as connection:
        sender = threading.Thread(
            target=connection.send,
            args=(b"".join(netstring(f"postfix {key}") for key, _ in questions),),
        )
        sender.start()
        for number, (key, want) in enumerate(questions):
            check_equal(connection.answer(), want, f"answer {number}, to {key}")
        sender.join()


def test_order_holds_behind_a_slow_question(lab):
    with Connection() as connection:
        connection.send(
            netstring("postfix hangs-0.test")
            + netstring("postfix popular.test")
            + netstring("postfix .x")
        )
        check(connection.answer().startswith("TEMP "), "the slow question is not answered TEMP")
        check_equal(connection.answer(), SECURE, "second answer")
        check_equal(connection.answer(), "NOTFOUND ", "third answer")


def test_temp_says_why(lab):
    answer = ask("hangs-1.test")
    check(answer.startswith("TEMP ") and len(answer) > len("TEMP ") + 5, f"no reason in {answer!r}")


def test_slow_domain_delays_no_other_connection(lab):
    slow = threading.Thread(target=ask, args=("hangs-2.test",))
    started = time.monotonic()
    slow.start()
    for _ in range(50):
        check_equal(ask("popular.test", timeout=3), SECURE, "answer beside a slow question")
    check(time.monotonic() - started < 4, "answers wait for the slow question")
    slow.join()


def test_one_byte_at_a_time(lab):
    with Connection() as connection:
        for byte in netstring("postfix popular.test"):
            connection.send(bytes([byte]))
            time.sleep(0.01)
        check_equal(connection.answer(), SECURE, "answer")


def test_client_that_shuts_its_side_gets_its_answer(lab):
    with socket.create_connection(SERVER, 10) as client:
        client.sendall(netstring("postfix popular.test"))
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(4096), b""))
    check_equal(received, netstring(SECURE), "answer")


def test_client_that_never_reads_harms_nobody(lab):
    with socket.create_connection(SERVER, 10) as client:
        client.setblocking(False)
        request = netstring("postfix popular.test") * 1000
        with contextlib.suppress(BlockingIOError, ConnectionError):
            for _ in range(500):
                client.send(request)
        check_equal(
            ask("popular.test", timeout=5), SECURE, "answer beside a client that never reads"
        )
        check(
            running["daemon"].resident_kilobytes() < 200_000,
            "answers nobody reads pile up in memory",
        )
