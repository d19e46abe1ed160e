"""Requests that no socketmap client sends (DESIGN.md "Sockets", "Questions").

Set-up: one domain with a fetched policy.

Flow: what is no netstring closes the connection without an answer; a proper netstring with a hostile key gets one
harmless answer. Afterwards strictmxd serves as before.
"""

from lab.socketmap import Connection, ask
from lab.testing import cases, check, check_equal

SECURE = "OK secure match=mx-good.hosts.test servername=hostname"

NO_NETSTRING = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "smtp": b"EHLO client.test\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01",
    "minus": b"-1:x,",
    "blank-first": b" 20:postfix popular.test,",
    "no-colon": b"20postfix popular.test,",
    "bad-end": b"26:postfix well-behaved.test;;",
    "huge-length": b"99999999999999999999:x,",
    "over-limit": b"1000000:" + b"x" * 1000,
    "colon-only": b":",
}

# Keys that are no domain names, or only just; no policy applies to any of them.
HOSTILE_KEYS = {
    "nul": "well-behaved.test\0",
    "line-end": "well-behaved.test\r\nOK secure match=evil.test",
    "blank": "well-behaved.test evil.test",
    "braces": "evil.test} { policy_string = mx: evil.test",
    "long": "a" * 9000,
    "long-label": "a" * 64 + ".test",
    "many-labels": "a." * 200 + "test",
    "empty": "",
    "dots": "..",
    "no-utf8": "\udcff.test",
    "slash": "../../etc/passwd",
    "underscore-name": "_mta-sts.well-behaved.test",
}


def set_up(lab):
    lab.domains.add("well-behaved.test")
    lab.domains.publish()
    check_equal(
        lab.new_daemon().start().ask_until_settled("well-behaved.test")[0], SECURE, "answer"
    )


@cases(NO_NETSTRING)
def test_no_netstring_closes(lab, name):
    with Connection() as connection:
        connection.send(NO_NETSTRING[name])
        check(connection.is_closed_by_server(10), "not closed, or answered")
    check_equal(ask("well-behaved.test", timeout=5), SECURE, "answer afterwards")


@cases(HOSTILE_KEYS)
def test_hostile_key_gets_a_harmless_answer(lab, name):
    request = b"postfix " + HOSTILE_KEYS[name].encode("utf-8", "surrogateescape")
    with Connection() as connection:
        connection.send(b"%d:%s," % (len(request), request))
        answer = connection.answer()
        check(answer.split(" ")[0] in ("NOTFOUND", "PERM"), f"answer {answer!r}")
        connection.send(b"25:postfix well-behaved.test,")
        check_equal(connection.answer(), SECURE, "next answer on the connection")


def test_request_without_key(lab):
    with Connection() as connection:
        connection.send(b"7:postfix,")
        try:
            answer = connection.answer()
            check(answer.split(" ")[0] in ("NOTFOUND", "PERM"), f"answer {answer!r}")
        except ConnectionError:
            pass
    check_equal(ask("well-behaved.test", timeout=5), SECURE, "answer afterwards")
