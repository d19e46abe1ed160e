"""Daily reports (RFC 8460 §5.4) by HTTPS, to web servers good, bad and hostile, and to records that lead elsewhere (§7).

Set-up: results of yesterday for KIND-posted.test, whose record names a web server of each kind; for records with URIs that
nobody must follow; and for records with many. Report mails, where there are any, go to a mail server of the lab.

Flow: `strictmx report send`. Servers that say 2xx have the report, once; all else waits with its reason, and nothing is
sent where a certificate is wrong or a redirect leads. Then strictmxd is killed, and the next attempt brings the same bytes.
Of URIs that lead to this machine, to private networks or into a mail program's options no connection and no mail comes.
"""

import gzip
import json
import signal
import socket
import threading

from lab.processes import run
from lab.reports import (
    CERTIFICATE_EXPIRED,
    SETTINGS,
    check_report,
    recipients,
    reports,
    results,
    send_now,
    send_result,
    wait_for_results,
    wait_until_tried,
    yesterday,
)
from lab.testing import cases, check, check_equal, wait_until

TAKEN = ("ok", "created", "accepted", "no-content", "nginx")
# Kind of server: what the reason says
WAITING = {
    "error": "HTTP status 500",
    "not-found": "HTTP status 404",
    "redirect": "HTTP status 301, redirects are not followed",
    "hang": "no whole answer within 2 s",
    "expired": "certificate has expired",
    "other-name": "ostname mismatch",
    "foreign-ca": "certificate",
    "self-signed": "self-signed certificate",
    "refused": "refused",
}
GONE = "gone"
TWO, MIXED, MANY, TOO_MANY = (f"{name}-posted.test" for name in ("two", "mixed", "many", "40"))
MAX_RECIPIENTS = 8

# Names that DNS has at addresses of no public host.
NOT_PUBLIC = {
    "loopback": ("A", "127.0.0.1"),
    "loopback-6": ("AAAA", "::1"),
    "mapped": ("AAAA", "::ffff:127.0.0.1"),
    "this-host": ("A", "0.0.0.0"),
    "metadata": ("A", "169.254.169.254"),
    "ten": ("A", "10.0.0.1"),
    "home": ("A", "192.168.7.7"),
    "carrier": ("A", "100.64.0.7"),
    "local-6": ("AAAA", "fd00::7"),
    "own": ("A", "198.19.0.2"),
}
OWN_ADDRESSES = (
    *("10.0.0.1/32", "169.254.169.254/32", "192.168.7.7/32", "100.64.0.7/32"),
    "fd00::7/128",
)
# Name of the case: URI. Nothing is sent for any of them.
REFUSED = {
    "ip-4": "https://127.0.0.1/reports",
    "ip-6": "https://[::1]/reports",
    "ip-ten": "https://10.0.0.1/reports",
    "ip-number": "https://2130706433/reports",
    "ip-short": "https://127.1/reports",
    "localhost": "https://localhost/reports",
    "user": "https://ok.receivers.test@loopback.receivers.test/reports",
    "line-end": "https://loopback.receivers.test/%0d%0aX-Header:%20x",
    "http": "http://ok.receivers.test/reports",
    "file": "file:/tmp",
    "ftp": "ftp://ok.receivers.test/reports",
    "mail-header": "mailto:a@victim.test%0d%0aBcc:b@victim.test",
    "mail-option": "mailto:-oQ/tmp@victim.test",
    "mail-list": "mailto:a@victim.test%2Cb@victim.test",
    "mail-quoted": "mailto:%22a%20-oQ/tmp%22@victim.test",
    "mail-literal": "mailto:a@[127.0.0.1]",
    "mail-local": "mailto:root",
    "mail-host": "mailto:root@localhost",
    "mail-nul": "mailto:a%00@victim.test",
    "mail-pipe": "mailto:%7C/bin/sh@victim.test%0a",
}
# To us a name that DNS does not have; to others it is 127.0.0.1.
HEX = "ip-hex"
FOLLOWED_NOWHERE = (HEX, *REFUSED, *NOT_PUBLIC)

running = {}


def domain_of(kind):
    return f"{kind}-posted.test"


def path_of(kind):
    return f"/reports/{kind}?day=1"


class Watch:
    """Takes connections to port 443 of every address of the mail server's namespace."""

    def __init__(self):
        self._server = socket.create_server(
            ("::", 443), family=socket.AF_INET6, dualstack_ipv6=True
        )
        self.seen = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        while True:
            connection, _ = self._server.accept()
            self.seen.append(connection.getsockname()[0])
            connection.close()


def set_up(lab):
    receivers, day = lab.report_receivers, yesterday()
    lab.domains  # noqa: B018 - DNS runs
    for address in OWN_ADDRESSES:
        run(["ip", "addr", "add", address, "dev", "lo"])
    running.update(watch=Watch(), day=day, earlier=len(lab.sinks.events()))
    ask = lab.domains.ask_for_reports
    for kind in (*TAKEN, *WAITING, GONE):
        ask(domain_of(kind), receivers.uri(kind, path_of(kind)))
    ask(TWO, receivers.uri("ok", path_of("two")), receivers.uri("fails-first", path_of("two-b")))
    lab.dns.set("mixed.receivers.test.", "A", "127.0.0.1", receivers.address("ok"))
    lab.certificates.chain_file("mixed.receivers.test")
    ask(MIXED, "https://mixed.receivers.test/reports/mixed")
    for number, domain in ((20, MANY), (40, TOO_MANY)):
        ask(domain, *(receivers.uri("ok", f"/{domain}/{each}") for each in range(number)))
    for name, (record_type, address) in NOT_PUBLIC.items():
        lab.dns.set(f"{name}.receivers.test.", record_type, address)
        ask(domain_of(name), f"https://{name}.receivers.test/reports/x")
    ask(domain_of(HEX), "https://0x7f.0x0.0x0.0x1/reports")
    for name, uri in REFUSED.items():
        ask(domain_of(name), uri)
    ask(domain_of("query"), "mailto:reports@victim.test?bcc=bcc@victim.test&subject=x&body=y")
    lab.domains.publish()
    domains = running["domains"] = [
        *map(domain_of, (*TAKEN, *WAITING, GONE, *FOLLOWED_NOWHERE, "query")),
        *(TWO, MIXED, MANY, TOO_MANY),
    ]
    daemon = running["daemon"] = lab.new_daemon(
        https__timeout=2,
        log__level="info",
        report__smtp_server=f"{lab.sinks.address('good')}:25",
        **SETTINGS,
    ).start()
    for domain in domains:
        send_result(daemon, domain, day)
        send_result(daemon, domain, day, CERTIFICATE_EXPIRED, sessions=2)
    wait_for_results(daemon, day, domains)
    check_equal(send_now(daemon, day), len(domains), "reports sent")
    wait_until_tried(daemon, day, domains)


@cases(TAKEN)
def test_taken_by(lab, kind):
    daemon, day, domain = running["daemon"], running["day"], domain_of(kind)
    (post,) = lab.report_receivers.posts(path_of(kind))
    check_equal(post.kind, "plain" if kind == "nginx" else kind, "server that took it")
    header = dict(post.header)
    check_equal(header["content-type"], "application/tlsrpt+gzip", "media type (§5.4)")
    check("content-encoding" not in header, "a content coding besides")
    check("authorization" not in header and "cookie" not in header, f"credentials: {header}")
    if kind != "nginx":
        check_equal(header["host"], f"{kind}.receivers.test", "Host")
    report = json.loads(gzip.decompress(post.body).decode("utf-8"))
    check_report(report, day)
    (stored,) = results(daemon, day, "--domain", domain)
    check_equal(report["policies"], stripped(stored["policies"]), "policies, as they are stored")
    ((uri, recipient),) = recipients(daemon, day, domain).items()
    check_equal(uri, lab.report_receivers.uri(kind, path_of(kind)), "recipient")
    check_equal((recipient["state"], recipient["attempts"]), ("sent", 1), "state and attempts")
    check_equal(reports(daemon, day)[domain]["state"], "done", "state of the report")


def stripped(policies):
    """Without the lists that a report leaves out, as they are empty."""
    for entry in policies:
        entry["policy"] = {name: value for name, value in entry["policy"].items() if value != []}
    return policies


@cases(tuple(WAITING))
def test_waits_for_another_attempt(lab, kind):
    daemon, day = running["daemon"], running["day"]
    (recipient,) = recipients(daemon, day, domain_of(kind)).values()
    check_equal((recipient["state"], recipient["attempts"]), ("waiting", 1), f"{recipient}")
    check("next_at" in recipient, f"no time of the next attempt: {recipient}")
    check(WAITING[kind] in recipient["why"], f"reason: {recipient}")
    check(f"{kind}.receivers.test" in recipient["why"], f"the host is not named: {recipient}")
    _, output, _ = daemon.strictmx("report", "status", "--day", day, "--troubled")
    (line,) = [line for line in output.splitlines() if line.startswith(f"{domain_of(kind)} ")]
    check(recipient["why"][:40] in line, f"the table has no reason: {line}")
    sent = [post.kind for post in lab.report_receivers.posts(path_of(kind))]
    answers = kind in ("error", "not-found", "redirect", "hang")
    check_equal(sent, [kind] if answers else [], "servers that got the report")


def test_redirect_is_not_followed(lab):
    check_equal(lab.report_receivers.connections("redirect-target"), 0, "connections there")


def test_gone_is_for_good(lab):
    (recipient,) = recipients(running["daemon"], running["day"], domain_of(GONE)).values()
    check_equal(recipient["state"], "refused", f"state with {recipient.get('why')}")
    check("HTTP status 410" in recipient["why"], f"reason: {recipient}")


@cases(FOLLOWED_NOWHERE)
def test_hostile_uri(lab, name):
    daemon, day = running["daemon"], running["day"]
    row = reports(daemon, day)[domain_of(name)]
    # A record whose only URI is none, or none of ours, asks for nothing.
    (outcome,) = row["recipients"] or [row]
    wanted = ("waiting",) if name == HEX else ("refused", "not-sent")
    check(outcome["state"] in wanted and outcome["why"], f"state and reason of {row}")
    if name in NOT_PUBLIC:
        check("no public address" in outcome["why"], f"reason: {outcome}")
    status, output, error = daemon.strictmx("report", "status", "--day", day)
    check_equal((status, error), (0, ""), "exit status and errors")
    (line,) = [line for line in output.splitlines() if line.startswith(f"{domain_of(name)} ")]
    check(outcome["why"] in line, f"the table has no reason: {line}")


def test_hostile_uris_led_nowhere(lab):
    check_equal(running["watch"].seen, [], "connections to this machine")
    events = lab.sinks.events()[running["earlier"] :]
    told = {event["rcpt"] for event in events if event["event"] == "rcpt"}
    check_equal(told, {"reports@victim.test"}, "mailboxes that were named")


def test_query_of_a_mailto_changes_nothing(lab):
    (event,) = lab.sinks.deliveries("reports@victim.test")
    head = event["text"].split("\r\n\r\n")[0].lower()
    check("\nbcc:" not in head and "bcc@" not in head, f"header: {head}")
    check("\nsubject: report domain:" in head, f"header: {head}")


def test_name_with_a_private_address_besides(lab):
    """Only the public one of its addresses is connected to; the certificate there is another's."""
    (recipient,) = recipients(running["daemon"], running["day"], MIXED).values()
    check_equal(recipient["state"], "waiting", f"state with {recipient.get('why')}")
    check("ostname mismatch" in recipient["why"], f"reason: {recipient}")


def test_many_destinations(lab):
    daemon, day = running["daemon"], running["day"]
    rows = recipients(daemon, day, MANY)
    states = [rows[lab.report_receivers.uri("ok", f"/{MANY}/{n}")]["state"] for n in range(20)]
    check_equal(states, ["sent"] * MAX_RECIPIENTS + ["refused"] * (20 - MAX_RECIPIENTS), "states")
    row = reports(daemon, day)[TOO_MANY]
    check_equal((row["state"], row["recipients"]), ("not-sent", []), "report for a record of 40")
    check("rua" in row["why"], f"reason: {row['why']}")
    posts = [lab.report_receivers.posts(f"/{TOO_MANY}/{n}") for n in range(40)]
    check_equal(sum(map(len, posts)), 0, "posts for it")


def test_same_bytes_after_a_kill_and_to_nobody_twice(lab):
    daemon, day, receivers = running["daemon"], running["day"], lab.report_receivers
    check_equal(len(receivers.posts(path_of("two"))), 1, "posts to the server that said 200")
    check_equal(len(receivers.posts(path_of("two-b"))), 1, "posts to the server that said 500")
    daemon.send(signal.SIGKILL)
    daemon.wait(20)
    daemon.start()
    for sessions in (1, 2):
        # What comes late changes nothing of what was built.
        send_result(daemon, TWO, day, sessions=sessions)
    check_equal(send_now(daemon, day, TWO), 1, "reports sent again")
    wait_until(lambda: len(receivers.posts(path_of("two-b"))) == 2, 30, "the second attempt")
    first, second = receivers.posts(path_of("two-b"))
    (other,) = receivers.posts(path_of("two"))
    check_equal(second.body, first.body, "bytes of the second attempt")
    check_equal(other.body, first.body, "bytes for the other recipient")
    wait_until(lambda: reports(daemon, day)[TWO]["state"] == "done", 30, "it is done")
    for row in recipients(daemon, day, TWO).values():
        check_equal(row["state"], "sent", "state")
    check_equal(len(receivers.posts(path_of("ok"))), 1, "posts of a report that was done before")


def test_private_addresses_where_they_are_allowed(lab):
    """What the listener did not see before it can see."""
    daemon, day = running["daemon"], running["day"]
    check_equal(running["watch"].seen, [], "connections to this machine")
    daemon.configure(report__allow_private_addresses=True)
    daemon.stop()
    daemon.start()
    late = "late-posted.test"
    lab.domains.ask_for_reports(late, "https://loopback.receivers.test/reports")
    lab.domains.publish()
    send_result(daemon, late, day)
    wait_for_results(daemon, day, [late])
    send_now(daemon, day, late)
    wait_until(lambda: "::ffff:127.0.0.1" in running["watch"].seen, 30, "a connection to 127.0.0.1")
