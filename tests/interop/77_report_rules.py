"""Who gets a report, decided when it is sent: records that went or can't be looked up, the operator's rules, and reports off.

Set-up: results of yesterday for some domains; a mail server of the lab that takes all mail, web servers, and folders.
strictmxd starts with reports off.

Flow: what is missing is set bit by bit, with SIGHUP; the log says what is missing still. `strictmx report preview` and
`send --dry-run` show what would go; `send` sends it, and no more than that. A record that is gone by then is heeded; one
that DNS can't tell of now waits, and is sent once DNS can. A rule's recipients, folders among them, get the same bytes.
"""

import gzip
import json
import os
import pwd
import time

from lab.daemon import USER
from lab.dns_zones import OLD_DNS_SECONDS
from lab.network import POLICY_HOST
from lab.reports import (
    CERTIFICATE_EXPIRED,
    CONTACT,
    NOT_NOW,
    SETTINGS,
    SOON_SECONDS,
    SUBMITTER,
    ask_json,
    check_mail,
    check_report,
    read_mail,
    recipients,
    reports,
    send_now,
    send_result,
    start_of,
    wait_for_results,
    wait_until_tried,
    yesterday,
)
from lab.testing import cases, check, check_equal, wait_until

PLAIN, WITHDRAWN, NO_RUA, TWICE = (
    f"{name}-ruled.test" for name in ("plain", "withdrawn", "no-rua", "twice")
)
LAME, BOGUS = "lame-ruled.test", "bogus-ruled.test"
SKIPPED, OTHERS, COPIED, FOLDER_GONE = (
    f"{name}-ruled.test" for name in ("skipped", "others", "copied", "folder-gone")
)
EVERY = (PLAIN, WITHDRAWN, NO_RUA, TWICE, LAME, BOGUS, SKIPPED, OTHERS, COPIED, FOLDER_GONE)
NOT_SENT = {
    WITHDRAWN: "no TLSRPT record",
    NO_RUA: "rua",
    TWICE: "2 records begin with v=TLSRPTv1",
    SKIPPED: "a rule skips it",
}
DNS_TROUBLE = {LAME: "servfail", BOGUS: "bogus"}
OWN_HOST = "own.receivers.test"
USAGE, DATA = 64, 65

running = {}


def reader_of(domain):
    return f"reports@{domain}"


def set_up(lab):
    lab.domains  # noqa: B018 - DNS runs
    for domain in EVERY:
        lab.domains.ask_for_reports(domain)
    lab.dns.set(f"_smtp._tls.{NO_RUA}.", "TXT", '"v=TLSRPTv1;"')
    record = '"v=TLSRPTv1; rua=mailto:reports'
    lab.dns.set(f"_smtp._tls.{TWICE}.", "TXT", f'{record}@{TWICE}"', f'{record}-2@{TWICE}"')
    # A web server of the operator's own, at an address that is not public.
    lab.report_receivers  # noqa: B018 - nginx hands reports on to one of them
    lab.dns.set(f"{OWN_HOST}.", "A", POLICY_HOST)
    lab.certificates.chain_file(OWN_HOST)
    lab.domains.publish()
    daemon = running["daemon"] = lab.new_daemon(
        log__level="info", report__smtp_server=f"{lab.sinks.address('good')}:25"
    ).start()
    day = running["day"] = yesterday()
    folder = running["folder"] = daemon.state / "reports"
    running["missing"] = daemon.state / "missing"
    make_folder(folder)
    for domain in EVERY:
        send_result(daemon, domain, day)
        send_result(daemon, domain, day, CERTIFICATE_EXPIRED, sessions=2)
    wait_for_results(daemon, day, EVERY)


def make_folder(path):
    user = pwd.getpwnam(USER)
    path.mkdir()
    os.chown(path, user.pw_uid, user.pw_gid)


def lines_of_log(words):
    return [line for line in running["daemon"].log_text().splitlines() if words in line]


def test_off_is_told_once_with_what_is_missing(lab):
    daemon, day = running["daemon"], running["day"]
    (line,) = lines_of_log("reports are off")
    for key in ("report.organization", "report.contact", "report.from"):
        check(key in line, f"{key} is not named: {line}")
    check(not lines_of_log("reports are on"), "reports are on")
    status, output, error = daemon.strictmx("report", "send", "--day", day)
    check_equal((status, output), (NOT_NOW, ""), "exit status and output of send")
    check("reports are off" in error and "report.contact" in error, f"errors: {error}")
    for words in (["status"], ["preview", PLAIN, "--day", day]):
        status, output, error = daemon.strictmx("report", *words)
        check_equal((status, error), (0, ""), f"exit status and errors of {words[0]}")
        (line,) = [line for line in output.splitlines() if "reports are off: " in line.lower()]
        check("report.organization" in line and "report.from" in line, f"{line}")
    daemon.configure(report__organization=SETTINGS["report__organization"])
    daemon.reload()
    wait_until(lambda: len(lines_of_log("reports are off")) == 2, 20, "the second line")
    line = lines_of_log("reports are off")[-1]
    check("report.organization" not in line and "report.from" in line, f"what is missing: {line}")


def test_on_by_reload(lab):
    daemon, folder = running["daemon"], f"file:{running['folder']}"
    daemon.configure(
        report_rule=[
            {"domain": SKIPPED, "skip": "true"},
            {"domain": OTHERS, "recipients": ["mailto:operator@others.test"]},
            {"domain": COPIED, "copies": [f"https://{OWN_HOST}/reports/copy", folder]},
            {"domain": FOLDER_GONE, "recipients": [f"file:{running['missing']}"]},
        ],
        **SETTINGS,
    )
    daemon.reload()
    (line,) = wait_until(lambda: lines_of_log("reports are on"), 20, "reports are on")
    check("dkim" in line and "left to the mail server" in line, f"who signs: {line}")


def test_preview_and_dry_run_send_nothing(lab):
    daemon, day = running["daemon"], running["day"]
    status, output, error = daemon.strictmx("report", "preview", PLAIN, "--day", day)
    check_equal((status, error), (0, ""), "exit status and errors")
    for text in (f"Report about {PLAIN}, {day}", f"mailto:{reader_of(PLAIN)}", CONTACT):
        check(text in output, f"{text} is missing: {output}")
    for domain, why in NOT_SENT.items():
        if domain == WITHDRAWN:
            continue
        status, output, _ = daemon.strictmx("report", "preview", domain, "--day", day)
        check_equal(status, 0, "exit status")
        check("not sent: " in output and why in output, f"{domain}: {output}")
        status, output, error = daemon.strictmx("report", "preview", domain, "--day", day, "--mail")
        check_equal((status, output), (DATA, ""), "exit status and output without a mail")
        check("no mail would be sent" in error, f"errors: {error}")
    shown = ask_json(daemon, "send", "--day", day, "--dry-run")["reports"]
    found = {row["domain"]: row for row in shown}
    check_equal(set(found), set(EVERY), "domains")
    wanted = [recipient["uri"] for recipient in found[OTHERS]["recipients"]]
    check_equal(wanted, ["mailto:operator@others.test"], "recipients by a rule")
    check_equal(len(found[COPIED]["recipients"]), 3, "recipients with copies")
    check_equal(reports(daemon, day), {}, "what is planned")
    check_equal(everything_sent(lab), ([], [], []), "what was sent")


def everything_sent(lab):
    mails = [event for domain in EVERY for event in lab.sinks.deliveries(reader_of(domain))]
    return mails, lab.report_receivers.posts("/reports/copy"), list(running["folder"].iterdir())


@cases((("send", "--day", "tomorrow"), ("status", "--day", "2026-02-30"), ("preview", "a b", "x")))
def test_wrong_words(lab, *words):
    status, output, error = running["daemon"].strictmx("report", *words)
    check_equal((status, output), (USAGE, ""), "exit status and output")
    check(error, "no error is told")


def test_send(lab):
    daemon, day = running["daemon"], running["day"]
    lab.dns.set(f"_smtp._tls.{WITHDRAWN}.", "TXT")
    for domain, trouble in DNS_TROUBLE.items():
        lab.domains.set_trouble(f"_smtp._tls.{domain}", trouble)
    lab.domains.publish()
    time.sleep(OLD_DNS_SECONDS)
    status, output, error = daemon.strictmx("report", "send", "--day", day)
    check_equal((status, error), (0, ""), "exit status and errors")
    check(f"{len(EVERY)} reports of {day}: due now" in output, f"output: {output}")
    wait_until_tried(daemon, day, set(EVERY) - set(DNS_TROUBLE))
    for domain in DNS_TROUBLE:
        wait_until(lambda: reports(daemon, day)[domain].get("why"), SOON_SECONDS, "DNS fails")


@cases(tuple(NOT_SENT))
def test_not_sent(lab, domain):
    row = reports(running["daemon"], running["day"])[domain]
    check_equal((row["state"], row["recipients"]), ("not-sent", []), "state and recipients")
    check(NOT_SENT[domain] in row["why"], f"reason: {row['why']}")
    check_equal(lab.sinks.deliveries(reader_of(domain)), [], "mails")


def test_what_was_sent_is_what_preview_shows(lab):
    daemon, day = running["daemon"], running["day"]
    (event,) = lab.sinks.deliveries(reader_of(PLAIN))
    mail = check_mail(event, PLAIN, day)
    status, output, error = daemon.strictmx("report", "preview", PLAIN, "--day", day, "--mail")
    check_equal((status, error), (0, ""), "exit status and errors")
    # Read as text, lines end in a mere line feed.
    check_equal(output, event["text"].replace("\r\n", "\n"), "mail that preview shows")
    shown = ask_json(daemon, "preview", PLAIN, "--day", day)["report"]
    check_equal(shown, mail.report, "report that preview shows")


def test_recipients_of_a_rule_replace_those_of_the_record(lab):
    (event,) = lab.sinks.deliveries("operator@others.test")
    check_mail(event, OTHERS, running["day"])
    check_equal(lab.sinks.deliveries(reader_of(OTHERS)), [], "mails to the record's mailbox")


def test_copies_are_the_same_bytes(lab):
    """A mail to the record's mailbox, a POST to a host of a private address, and a file."""
    day = running["day"]
    (event,) = lab.sinks.deliveries(reader_of(COPIED))
    check_mail(event, COPIED, day)
    mail = read_mail(event)
    (post,) = lab.report_receivers.posts("/reports/copy")
    check_equal(post.body, mail.gzip, "bytes of the POST")
    (file,) = running["folder"].iterdir()
    check_equal(file.read_bytes(), mail.gzip, "bytes of the file")
    check_equal(file.name, mail.file_name, "name of the file")
    rows = recipients(running["daemon"], day, COPIED).values()
    check_equal([row["state"] for row in rows], ["sent"] * 3, "states")
    check_equal(sorted(row["origin"] for row in rows), ["record", "rule", "rule"], "origins")


def test_folder_that_is_missing(lab):
    daemon, day, folder = running["daemon"], running["day"], running["missing"]
    (recipient,) = recipients(daemon, day, FOLDER_GONE).values()
    check_equal(recipient["state"], "waiting", "state")
    check(str(folder) in recipient["why"], f"reason: {recipient['why']}")
    make_folder(folder)
    send_now(daemon, day, FOLDER_GONE)
    (file,) = wait_until(lambda: list(folder.glob("*.gz")), SOON_SECONDS, "the file")
    first = start_of(day)
    check(file.name.startswith(f"{SUBMITTER}!{FOLDER_GONE}!{first}!{first + 86399}"), file.name)
    check_report(json.loads(gzip.decompress(file.read_bytes()).decode("utf-8")), day)


def test_dns_trouble_waits_and_ends(lab):
    daemon, day = running["daemon"], running["day"]
    for domain in DNS_TROUBLE:
        row = reports(daemon, day)[domain]
        check_equal((row["state"], row["recipients"]), ("waiting", []), f"{row}")
        check(f"_smtp._tls.{domain}" in row["why"], f"reason: {row['why']}")
        check_equal(lab.sinks.deliveries(reader_of(domain)), [], "mails")
        lab.dns.make_sound(f"_smtp._tls.{domain}.")
        lab.domains.ask_for_reports(domain)
    lab.domains.publish()

    def arrived(domain):
        if not lab.sinks.deliveries(reader_of(domain)):
            send_now(daemon, day, domain)
        return lab.sinks.deliveries(reader_of(domain))

    for domain in DNS_TROUBLE:
        # libunbound believes its failure for some seconds more.
        why = f"report about {domain}"
        (event,) = wait_until(lambda: arrived(domain), SOON_SECONDS, why, pause=2)  # noqa: B023
        check_mail(event, domain, day)
    check_equal(len(lab.sinks.deliveries(reader_of(PLAIN))), 1, "reports that were sent before")
