"""Reports (RFC 8460) as a test meets them: results to report, what becomes of each report, and mails read back by Python's
own modules.
"""

import datetime
import email
import email.policy
import gzip
import json
import re
import socket
import time
from typing import NamedTuple

from .testing import check, check_equal, wait_until

SUBMITTER = "sender.test"
CONTACT, FROM = f"tls-reports@{SUBMITTER}", f"noreply@{SUBMITTER}"
# With these, reports are on.
SETTINGS = {
    "report__organization": "Prüfstand & Söhne",
    "report__contact": CONTACT,
    "report__from": FROM,
}
DAY_SECONDS = 86400
# strictmxd asks its store every 10 s for what is due, and spreads a day that is sent at once over a minute.
SOON_SECONDS = 100

CERTIFICATE_EXPIRED = 204  # in a datagram
NOT_NOW = 75  # exit status


def day_of(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date().isoformat()


def yesterday():
    """A day that has ended: its reports can be sent at once."""
    return day_of(time.time() - DAY_SECONDS)


def start_of(day):
    return int(datetime.datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())


def send_result(daemon, domain, day=None, failure_code=None, sessions=1):
    """Results of sessions at noon of the day (default: just now), as a mail server sends them."""
    policy = {"policy-type": 9, "policy-domain": domain, "f": 0}
    if failure_code is not None:
        policy.update({"f": 1, "t": 1, "failure-details": [{"c": failure_code}]})
    result = {"dpv": "1", "d": domain, "pr": "v=TLSRPTv1", "policies": [policy]}
    if day is not None:
        result["strictmx"] = {"time": start_of(day) + DAY_SECONDS // 2}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        for _ in range(sessions):
            sender.sendto(json.dumps(result).encode("ascii"), str(daemon.result_socket))


def wait_for_results(daemon, day, domains):
    def stored():
        return {result["domain"] for result in results(daemon, day)}

    wait_until(lambda: stored() >= set(domains), 30, f"results of {day} are stored")


def ask_json(daemon, *words):
    status, output, error = daemon.strictmx("report", *words, "--json")
    check_equal(status, 0, f"exit status of {' '.join(words)} ({error})")
    return json.loads(output)


def results(daemon, day, *words):
    return ask_json(daemon, "results", "--day", day, *words)["results"]


def reports(daemon, day):
    """domain -> what `strictmx report status` tells of its report about this day."""
    return {row["domain"]: row for row in ask_json(daemon, "status", "--day", day)["reports"]}


def recipients(daemon, day, domain):
    """uri -> recipient; empty while there is none."""
    report = reports(daemon, day).get(domain, {"recipients": []})
    return {recipient["uri"]: recipient for recipient in report["recipients"]}


def send_now(daemon, day, domain=None):
    """Has the reports of a day that has ended sent, or one; those that wait for another attempt as well. How many."""
    words = ["--day", day] if domain is None else ["--day", day, "--domain", domain]

    def answer():
        """None while results of the day may still be on their way into the store."""
        status, output, error = daemon.strictmx("report", "send", *words, "--json")
        return None if status == NOT_NOW else (status, output, error)

    status, output, error = wait_until(answer, 30, "results are in the store")
    check_equal(status, 0, f"exit status of send ({error})")
    return json.loads(output)["reports"]


def wait_until_tried(daemon, day, domains, attempts=1):
    """Until each report is settled, or each of its recipients that waits was tried so many times."""

    def tried(report):
        return report["state"] in ("done", "not-sent", "given-up") or (
            report["state"] == "sending"
            and all(
                recipient["state"] != "waiting" or recipient.get("attempts", 0) >= attempts
                for recipient in report["recipients"]
            )
        )

    def all_tried():
        rows = reports(daemon, day)
        return all(domain in rows and tried(rows[domain]) for domain in domains) and rows

    return wait_until(all_tried, SOON_SECONDS, f"reports of {day} are tried", pause=0.3)


class ReadMail(NamedTuple):
    header: email.message.EmailMessage
    text: str  # for people
    file_name: str
    gzip: bytes
    report: dict


def read_mail(event):
    """What a mail sink took, as a reader of reports does (RFC 8460 §5.3); fails where a MUST or SHOULD is not kept."""
    mail = email.message_from_bytes(event["text"].encode("latin-1"), policy=email.policy.default)
    check_equal(mail.get_content_type(), "multipart/report", "media type")
    check_equal(mail["Content-Type"].params["report-type"], "tlsrpt", "report-type")
    text, attached = mail.iter_parts()
    check_equal(text.get_content_type(), "text/plain", "media type of the first part")
    check_equal(attached.get_content_type(), "application/tlsrpt+gzip", "media type of the second")
    defects = [part.defects for part in mail.walk() if part.defects]
    check_equal(defects, [], "defects that Python's parser finds")
    zipped = attached.get_payload(decode=True)
    report = json.loads(gzip.decompress(zipped).decode("utf-8"))
    return ReadMail(mail, text.get_content(), attached.get_filename(), zipped, report)


def check_mail(event, domain, day):
    """All that RFC 8460 §4.4, §5.1 and §5.3 want of the mail about this domain and day, but for the policies; the mail."""
    mail = read_mail(event)
    header = mail.header
    for name in ("From", "To", "Date", "Message-ID", "Subject", "MIME-Version"):
        check_equal(len(header.get_all(name, [])), 1, f"header fields {name}")
    check_equal(header["From"].addresses[0].addr_spec, FROM, "From")
    check_equal(header["TLS-Report-Domain"], domain, "TLS-Report-Domain")
    check_equal(header["TLS-Report-Submitter"], SUBMITTER, "TLS-Report-Submitter")
    check_equal(header["TLS-Required"], "No", "TLS-Required (RFC 8689 §3)")
    about = f"Report Domain: {re.escape(domain)} Submitter: {SUBMITTER} Report-ID: "
    subject = " ".join(header["Subject"].split())
    check(re.fullmatch(about + r"<[^<>@\s]+@[^<>@\s]+>", subject), f"Subject {subject}")
    first = start_of(day)
    about = f"{SUBMITTER}!{re.escape(domain)}!{first}!{first + DAY_SECONDS - 1}"
    check(
        re.fullmatch(about + r"(![A-Za-z0-9]+)?\.json\.gz", mail.file_name),
        f"file name {mail.file_name}",
    )
    check_report(mail.report, day)
    for word in (domain, day, mail.report["organization-name"]):
        check(word in mail.text, f"the text for people does not tell {word}: {mail.text}")
    return mail


def check_report(report, day):
    check_equal(report["organization-name"], SETTINGS["report__organization"], "organization")
    check_equal(report["contact-info"], CONTACT, "contact-info")
    check(report["report-id"], "no report-id")
    check_equal(
        report["date-range"],
        {"start-datetime": f"{day}T00:00:00Z", "end-datetime": f"{day}T23:59:59Z"},
        "date range (§4.1: a UTC day)",
    )


def sums(policies):
    """(succeeded, failed)"""
    return tuple(
        sum(policy["summary"][f"total-{result}-session-count"] for policy in policies)
        for result in ("successful", "failure")
    )
