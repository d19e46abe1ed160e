"""Daily reports (RFC 8460) by mail, through the real Postfix, about what the real Postfix met.

Set-up: strictmxd with a wall clock that the test sets; for each state of an MX host a domain whose enforce policy allows
the host, and whose TLSRPT record names a mailbox behind that same host: KIND-mailed.test. Report mails are signed with an
RSA and an Ed25519 key, and handed to the SMTP server of Postfix 3.10, which sends results.

Flow: at noon Postfix sends one mail to each domain. After midnight a report a domain is planned, four hours later all of
them are with their readers, through hosts that no mail could be sent to (§5.3.1, by TLS-Required: No). Day two: a mail to
one more domain. After the next midnight that domain alone is reported, through Postfix 3.7, which knows nothing of
TLS-Required: the report to a host with a wrong certificate waits in its queue.
    Then without a stepped clock: a mail server that takes no mail at first and strictmxd killed between the attempts; and
mails handed over by Postfix's own sendmail.
"""

import math
import signal
import time

from lab import dkim_keys
from lab.lab import POSTFIX_INSTANCES
from lab.mail_sinks import host_of
from lab.reports import (
    CERTIFICATE_EXPIRED,
    DAY_SECONDS,
    FROM,
    SETTINGS,
    SOON_SECONDS,
    SUBMITTER,
    check_mail,
    day_of,
    recipients,
    reports,
    results,
    send_now,
    send_result,
    start_of,
    sums,
    wait_for_results,
    wait_until_tried,
    yesterday,
)
from lab.stepped_time import SteppedTime
from lab.testing import Skip, cases, check, check_equal, wait_until

OLD, INSTANCE = list(POSTFIX_INSTANCES)[0], list(POSTFIX_INSTANCES)[-1]
# Kind of MX host: result type
FAILURES = {
    "stripped": "starttls-not-supported",
    "refused-454": "starttls-not-supported",
    "other-name": "certificate-host-mismatch",
    "expired": "certificate-expired",
    "foreign-ca": "validation-failure",
    "self-signed": "validation-failure",
    "broken-tls": "validation-failure",
}
KINDS = (*FAILURES, "good")
LATER, LATER_BROKEN = "later-mailed.test", "later-broken-mailed.test"
KILLED, BY_SENDMAIL = "killed-mailed.test", "sendmail-mailed.test"
SELECTORS = {"rsa1": "rsa", "ed1": "ed25519"}
SPREAD_SECONDS = 14400  # §4.1
# In the header, and in the gzip bytes.
CHANGES = (
    ("TLS-Report-Domain: ", "TLS-Report-Domain: x"),
    ("TLS-Report-Submitter: s", "TLS-Report-Submitter: t"),
    ("Subject: Report", "Subject: Retort"),
    ("H4sI", "H4sJ"),
)

running = {}


def domain_of(kind):
    return f"{kind}-mailed.test"


def reader_of(domain):
    return f"reports@{domain}"


def set_up(lab):
    for kind in KINDS:
        lab.domains.add(domain_of(kind), [kind])
    for domain in (LATER, KILLED, BY_SENDMAIL):
        lab.domains.add(domain, mode=None)
    lab.domains.add(LATER_BROKEN, ["other-name"])
    for domain in (*map(domain_of, KINDS), LATER, LATER_BROKEN, KILLED, BY_SENDMAIL):
        lab.domains.ask_for_reports(domain)
    postfix = lab.postfix(INSTANCE)
    daemon = running["daemon"] = lab.new_daemon(
        log__level="info", report__ignore_own_mails=True, **SETTINGS
    )
    keys = [
        dkim_keys.publish_key(lab, daemon, SUBMITTER, selector, key_type)
        for selector, key_type in SELECTORS.items()
    ]
    lab.domains.publish()
    daemon.configure(
        listen__results=[f"unix:{postfix.result_socket}", f"unix:{daemon.result_socket}"],
        report__smtp_server=postfix.smtp_server,
        report__dkim_keys=keys,
    )
    running["keys"] = keys
    running["clock"] = SteppedTime(daemon.folder)
    # Today's noon may have passed, and signatures in DNS do not hold before now.
    running["first"] = day_of(time.time() + DAY_SECONDS)
    running["second"] = day_of(time.time() + 2 * DAY_SECONDS)
    set_clock(running["first"], DAY_SECONDS // 2)
    daemon.start(env=running["clock"].environment())
    mails = [f"mailed-1@{domain_of(kind)}" for kind in KINDS]
    postfix.send(mails, "mailed-1@lab.test")
    postfix.wait_until_tried(mails)
    wait_for_results(daemon, running["first"], map(domain_of, KINDS))


def set_clock(day, seconds):
    running["clock"].step(math.ceil(start_of(day) + seconds - running["clock"].now()))


def arrived(lab, domain):
    return lab.sinks.deliveries(reader_of(domain))


def test_planned_after_midnight_and_spread(lab):
    daemon, first = running["daemon"], running["first"]
    check_equal(reports(daemon, first), {}, "reports of a day that has not ended")
    midnight = start_of(first) + DAY_SECONDS
    set_clock(first, DAY_SECONDS + 1)
    rows = wait_until(
        lambda: len(reports(daemon, first)) == len(KINDS) and reports(daemon, first),
        SOON_SECONDS,
        "a report a domain is planned",
    )
    due = {domain: seconds_of(row["next_at"]) for domain, row in rows.items() if "next_at" in row}
    check(
        all(0 < time_of - midnight <= SPREAD_SECONDS for time_of in due.values()),
        f"not within four hours of midnight (§4.1): {rows}",
    )
    check(len(set(due.values())) > len(KINDS) // 2, f"not spread: {due}")


def seconds_of(text):
    return start_of(text[:10]) + sum(
        int(part) * unit for part, unit in zip(text[11:19].split(":"), (3600, 60, 1))
    )


@cases(KINDS)
def test_report_reaches_its_reader(lab, kind):
    daemon, first, domain = running["daemon"], running["first"], domain_of(kind)
    if running["clock"].now() < start_of(first) + DAY_SECONDS + SPREAD_SECONDS:
        set_clock(first, DAY_SECONDS + SPREAD_SECONDS + 1)
    if kind == "broken-tls":
        try_without_tls(lab, domain)
    (event,) = wait_until(lambda: arrived(lab, domain), SOON_SECONDS, f"report about {domain}")
    check_equal(event["kind"], kind, "host that took it")
    mail = check_mail(event, domain, first)
    check_equal(mail.header["To"].addresses[0].addr_spec, reader_of(domain), "To")
    (stored,) = results(daemon, first, "--domain", domain)
    check_equal(mail.report["policies"], stored["policies"], "policies, as they are stored")
    (policy,) = mail.report["policies"]
    check_equal(policy["policy"]["policy-type"], "sts", "policy type")
    check_equal(policy["policy"]["policy-domain"], domain, "policy domain")
    check_equal(policy["policy"]["mx-host"], [host_of(kind)], "mx-host")
    check("mode: enforce" in policy["policy"]["policy-string"], "the policy's lines")
    details = [
        (failure["result-type"], failure["receiving-mx-hostname"], failure["failed-session-count"])
        for failure in policy["failure-details"]
    ]
    if kind == "good":
        check_equal((details, sums([policy])), ([], (1, 0)), "failures and sessions")
    else:
        check_equal(details, [(FAILURES[kind], host_of(kind), 1)], "failures (§4.3)")
        check_equal(sums([policy]), (0, 1), "sessions")


def try_without_tls(lab, domain):
    """A handshake that fails is no end of it: Postfix, not held to TLS, goes on without after a while."""
    postfix = lab.postfix(INSTANCE)
    postfix.wait_until_tried([reader_of(domain)])
    check("Cannot start TLS" in postfix.queue()[reader_of(domain)], "held for another reason")
    postfix.allow_plaintext_soon()
    wait_until(
        lambda: postfix.retry_mail_to(reader_of(domain)) or arrived(lab, domain),
        SOON_SECONDS,
        "it arrives",
        pause=2,
    )


@cases(tuple(SELECTORS))
def test_signature_holds(lab, selector):
    """By the records in DNS and python3-dkim, after two mail servers had the mail."""
    for kind in KINDS:
        (event,) = arrived(lab, domain_of(kind))
        check_equal(judge(event["text"]).get(selector), True, f"signature, {kind}")


def judge(text):
    return dkim_keys.judge(text, running["clock"].now())


def test_signature_covers_what_it_must(lab):
    (event,) = arrived(lab, domain_of("good"))
    text = event["text"]
    for tags in dkim_keys.signatures(text):
        check_equal(tags["d"], SUBMITTER, "domain (§3: that of the submitter)")
        check("l" not in tags, "a signature has l= (§3)")
        covered = tags["h"].lower().split(":")
        for name in ("from", "tls-report-domain", "tls-report-submitter"):
            check(name in covered, f"{name} is not signed: {covered}")


@cases(CHANGES)
def test_changed_byte_breaks_both_signatures(lab, old, new):
    (event,) = arrived(lab, domain_of("good"))
    check_equal(event["text"].count(old), 1, f"places of {old!r}")
    verdicts = judge(event["text"].replace(old, new))
    check_equal(verdicts, dict.fromkeys(SELECTORS, False), "signatures")


def test_status_of_the_first_day(lab):
    daemon, first = running["daemon"], running["first"]
    rows = wait_until_tried(daemon, first, map(domain_of, KINDS))
    check_equal({row["state"] for row in rows.values()}, {"done"}, "states")
    status, output, error = daemon.strictmx("report", "status")
    check_equal((status, error), (0, ""), "exit status and errors")
    line = next(line for line in output.splitlines() if line.startswith(first))
    counts = [int(word) for word in line.split()[1:]]
    check_equal(counts, [0, 0, len(KINDS), 0, 0, len(KINDS), 0, 0], f"counts of {first}")
    for domain in map(domain_of, KINDS):
        check_equal(len(arrived(lab, domain)), 1, f"reports about {domain}")


def test_reports_trigger_no_reports(lab):
    """The mails with reports went to domains that ask for reports (§5.3.1). One is counted here, as older Postfix do."""
    daemon, second = running["daemon"], running["second"]
    postfix = lab.postfix(INSTANCE)
    recipient = f"mailed-2@{LATER}"
    postfix.send([recipient], "mailed-2@lab.test")
    postfix.wait_until_tried([recipient])
    wait_for_results(daemon, second, [LATER])
    own = [result["domain"] for result in results(daemon, second) if result["domain"] != LATER]
    print(f"# results that Postfix 3.10 sent of its report mails: {len(own)}", flush=True)
    counted = domain_of("good")
    send_result(daemon, counted)
    wait_for_results(daemon, second, [counted])
    old = running["old"] = lab.postfix(OLD) if OLD in lab.postfix_names() else None
    if old is not None:
        send_result(daemon, LATER_BROKEN, failure_code=CERTIFICATE_EXPIRED)
        wait_for_results(daemon, second, [LATER_BROKEN])
        daemon.configure(report__smtp_server=old.smtp_server)
        daemon.reload()
    set_clock(second, DAY_SECONDS + SPREAD_SECONDS + 1)
    (event,) = wait_for_report_in_make_up_time(lab, second, LATER)
    mail = check_mail(event, LATER, second)
    check_equal(sums(mail.report["policies"]), (1, 0), "sessions")
    for kind in KINDS:
        check_equal(len(arrived(lab, domain_of(kind))), 1, f"reports about {domain_of(kind)}")
        row = reports(daemon, second).get(domain_of(kind), {"state": "not-sent"})
        check_equal(row["state"], "not-sent", f"report about {domain_of(kind)}")
    check("report.ignore_own_mails" in reports(daemon, second)[counted]["why"], "reason")


def wait_for_report_in_make_up_time(lab, day, domain):
    """A night that was missed is made up for within half an hour."""
    wait_until(lambda: domain in reports(running["daemon"], day), SOON_SECONDS, "it is planned")
    running["clock"].step(1801)
    return wait_until(lambda: arrived(lab, domain), SOON_SECONDS, f"report about {domain}")


def test_signatures_hold_through_the_old_postfix(lab):
    if running["old"] is None:
        raise Skip("no Postfix 3.7")
    (event,) = arrived(lab, LATER)
    check("Postfix" in event["text"], "no Received of Postfix")
    check_equal(judge(event["text"]), dict.fromkeys(SELECTORS, True), "signatures")


def test_old_postfix_holds_a_report_by_its_policy(lab):
    """Postfix before 3.10 does not know TLS-Required: what strictmxd hands over waits like all mail."""
    if running["old"] is None:
        raise Skip("no Postfix 3.7")
    address, old = reader_of(LATER_BROKEN), running["old"]
    old.wait_until_tried([address])
    reason = old.queue()[address]
    check("certificate not verified" in reason, f"held for another reason: {reason}")
    check_equal(lab.sinks.deliveries(address), [], "mails to that reader")
    rows = reports(running["daemon"], running["second"])
    check_equal(rows[LATER_BROKEN]["state"], "done", "the report, once the mail server has it")


def test_same_mail_after_a_kill_between_attempts(lab):
    """A mail server that takes a whole mail and says 451; then kill -9, and another attempt elsewhere."""
    postfix, day = lab.postfix(INSTANCE), yesterday()
    daemon = lab.new_daemon(
        log__level="info",
        report__smtp_server=f"{lab.sinks.address('answers-451')}:25",
        report__dkim_keys=running["keys"],
        **SETTINGS,
    ).start()
    address = reader_of(KILLED)
    send_result(daemon, KILLED, day, CERTIFICATE_EXPIRED, sessions=3)
    wait_for_results(daemon, day, [KILLED])
    check_equal(send_now(daemon, day, KILLED), 1, "reports sent")
    wait_until_tried(daemon, day, [KILLED])
    waiting = recipients(daemon, day, KILLED)[f"mailto:{address}"]
    check_equal((waiting["state"], waiting["attempts"]), ("waiting", 1), "state and attempts")
    check("451" in waiting["why"] and "not now" in waiting["why"], f"reason {waiting['why']}")
    daemon.send(signal.SIGKILL)
    daemon.wait(20)
    # What comes later is not reported, and changes nothing of what was built.
    daemon.configure(report__smtp_server=postfix.smtp_server)
    daemon.start()
    send_result(daemon, KILLED, day, sessions=2)
    check_equal(send_now(daemon, day, KILLED), 1, "reports sent again")
    (event,) = wait_until(lambda: lab.sinks.deliveries(address), SOON_SECONDS, "the report")
    check_mail(event, KILLED, day)
    (put_off,) = lab.sinks.events("put-off", address)
    check_equal(put_off["message_id"], event["message_id"], "Message-ID")
    check(event["text"].endswith(put_off["text"]), "the second attempt has other bytes")
    wait_until(lambda: reports(daemon, day)[KILLED]["state"] == "done", 30, "it is done")
    check_equal(send_now(daemon, day, KILLED), 0, "reports to send once all are sent")


def test_opendkim_finds_the_signature_good(lab):
    """It knows no service type tlsrpt, so the record says s=* here; and of two signatures it is given the RSA one."""
    (event,) = lab.sinks.deliveries(reader_of(KILLED))
    with dkim_keys.key_for_all_services(lab, SUBMITTER, "rsa1"):
        text = dkim_keys.without_signature(event["text"], "ed1")
        check_equal(dkim_keys.opendkim_error(text), "", "what OpenDKIM says")
        for old, new in CHANGES:
            changed = text.replace(old, new, 1)
            check_equal(dkim_keys.opendkim_error(changed), "Bad signature", f"with {new!r} in it")


def test_by_sendmail(lab):
    """Postfix's own sendmail and postdrop; strictmxd must be root for them, see strictmx.toml(5)."""
    postfix, day = lab.postfix(INSTANCE), yesterday()
    daemon = lab.new_daemon(user="root", log__level="info", **SETTINGS)
    daemon.configure(
        report__smtp_server="", report__sendmail=str(postfix.sendmail_script(daemon.folder / "sm"))
    )
    daemon.start()
    send_result(daemon, BY_SENDMAIL, day)
    wait_for_results(daemon, day, [BY_SENDMAIL])
    send_now(daemon, day, BY_SENDMAIL)
    (event,) = wait_until(
        lambda: lab.sinks.deliveries(reader_of(BY_SENDMAIL)), SOON_SECONDS, "the report"
    )
    check_mail(event, BY_SENDMAIL, day)
    check("userid 0" in event["text"], "it did not come by sendmail")
    check_equal(dkim_keys.signatures(event["text"]), [], "signatures without a key")
    log = postfix.log_text()
    check(f"from=<{FROM}>" in log, "the envelope's sender is another")
