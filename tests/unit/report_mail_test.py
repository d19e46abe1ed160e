#!/usr/bin/env python3
"""A report mail (RFC 8460 §5.3) as Python's email, gzip and json modules read it.

Use: report_mail_test.py MAKE_REPORT_MAIL   the program made from report_mail_main.cc
"""

import copy
import email
import email.policy
import gzip
import json
import re
import subprocess
import sys
import unittest

PROGRAM = None  # set from the command line
FROM, TO, DOMAIN, DATE = "noreply@sndr.example.com", "rua@example.net", "example.net", 1795395661

REPORT = {
    "organization-name": "Käse & Söhne",
    "date-range": {"start-datetime": "2026-11-22T00:00:00Z",
                   "end-datetime": "2026-11-22T23:59:59Z"},
    "contact-info": "tls@sndr.example.com",
    "report-id": "735ff.e317+bf22029",
    "policies": [
        {"policy": {"policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: enforce", "mx: *.example.net",
                                      "max_age: 86400"],
                    "policy-domain": "example.net", "mx-host": ["*.example.net"]},
         "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
         "failure-details": [
             {"result-type": "certificate-expired", "sending-mta-ip": "2001:db8::1",
              "receiving-mx-hostname": "mx1.example.net", "receiving-ip": "192.0.2.1",
              "failed-session-count": 303, "failure-reason-code": "certificate has expired"}]},
        {"policy": {"policy-type": "tlsa", "policy-string": ["3 1 1 00ff"],
                    "policy-domain": "mx.example.net"},
         "summary": {"total-successful-session-count": 9007199254740991,
                     "total-failure-session-count": 0},
         "failure-details": []},
    ],
}

HOSTILE = [
    "x\r\nBcc: victim@victim.example\r\n\r\n",
    "\r\n--=_strictmx_0000000000000000--\r\n",
    "\"; x=\"",
    "=?utf-8?q?a?=",
    "\x01\x1b[2J\u202e\u00e4\U0001f4e7",
    "x" * 8000,
]


def make(report, domain=DOMAIN, sender=FROM, to=TO):
    done = subprocess.run([PROGRAM, domain, sender, to, str(DATE)],
                          input=json.dumps(report).encode(), capture_output=True, timeout=60,
                          check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout


class Mail(unittest.TestCase):
    def parts(self, raw):
        """The mail by Python's parser, which must have nothing to complain about."""
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        for part in mail.walk():
            self.assertEqual(part.defects, [])
            for name, value in part.items():
                self.assertEqual(value.defects, (), name)
        self.assertEqual(mail.get_content_type(), "multipart/report")
        self.assertEqual(mail.get_param("report-type"), "tlsrpt")
        self.assertTrue(mail.preamble is None and not mail.epilogue)
        parts = list(mail.iter_parts())
        self.assertEqual([part.get_content_type() for part in parts],
                         ["text/plain", "application/tlsrpt+gzip"])
        return mail, parts[0], parts[1]

    def test_header(self):
        mail, _, _ = self.parts(make(REPORT))
        self.assertEqual(sorted(mail.keys()), sorted([
            "From", "To", "Date", "Subject", "Message-ID", "TLS-Report-Domain",
            "TLS-Report-Submitter", "TLS-Required", "Auto-Submitted", "MIME-Version",
            "Content-Type"]))
        self.assertEqual(mail["from"].addresses[0].addr_spec, FROM)
        self.assertEqual(mail["to"].addresses[0].addr_spec, TO)
        self.assertEqual(mail["date"].datetime.timestamp(), DATE)
        self.assertEqual(mail["tls-report-domain"], "example.net")
        self.assertEqual(mail["tls-report-submitter"], "sndr.example.com")
        self.assertEqual(mail["tls-required"], "No")
        self.assertEqual(mail["auto-submitted"], "auto-generated")
        self.assertRegex(mail["message-id"], r"^<[!-~]+@sndr\.example\.com>$")
        self.assertRegex(mail["subject"], r"^Report Domain: example\.net +Submitter: "
                         r"sndr\.example\.com +Report-ID: <735ff\.e317\+bf22029@[a-z.]+>$")

    def test_report_is_the_same(self):
        _, _, attached = self.parts(make(REPORT))
        self.assertEqual(json.loads(gzip.decompress(attached.get_content())), REPORT)
        name = attached.get_filename()
        self.assertRegex(name, r"^sndr\.example\.com!example\.net!1795305600!1795391999!"
                         r"[A-Za-z0-9]+\.json\.gz$")
        self.assertEqual(attached.get_param("name"), name)
        self.assertEqual(attached.get_content_disposition(), "attachment")

    def test_text_is_for_people(self):
        _, text, _ = self.parts(make(REPORT))
        self.assertEqual(text.get_content_charset(), "utf-8")
        shown = text.get_content()
        for want in ("TLS report for example.net, 2026-11-22 (UTC)", "mail from Käse & Söhne",
                     "303  at mx1.example.net", "certificate-expired",
                     "DANE policy (TLSA records) for mx.example.net: 9007199254740991 sessions"):
            self.assertIn(want, shown)
        self.assertLessEqual(max(map(len, shown.splitlines())), 76)

    def test_lines(self):
        raw = make(REPORT)
        self.assertTrue(raw.isascii())
        self.assertEqual(raw.count(b"\n"), raw.count(b"\r\n"))
        self.assertEqual(raw.count(b"\r"), raw.count(b"\r\n"))
        self.assertTrue(raw.endswith(b"--\r\n"))
        self.assertLess(max(map(len, raw.split(b"\r\n"))), 998)
        self.assertEqual(make(REPORT), raw)

    def test_hostile_texts(self):
        keys = set(self.parts(make(REPORT))[0].keys())
        for text in HOSTILE:
            with self.subTest(text[:40]):
                report = copy.deepcopy(REPORT)
                report["organization-name"] = report["report-id"] = text
                policy = report["policies"][0]
                policy["policy"].update({"policy-type": text, "policy-domain": text,
                                         "policy-string": [text], "mx-host": [text]})
                policy["failure-details"][0].update({
                    "result-type": text, "receiving-mx-hostname": text,
                    "receiving-mx-helo": text, "additional-information": text,
                    "failure-reason-code": text})
                mail, shown, attached = self.parts(make(report))
                self.assertEqual(set(mail.keys()), keys)
                self.assertEqual(len(mail.keys()), len(keys))
                self.assertEqual(json.loads(gzip.decompress(attached.get_content())), report)
                self.assertIsNone(re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]",
                                            shown.get_content().replace("\r\n", "\n")))
                self.assertNotIn("\nBcc:", shown.get_content())

    def test_addresses_are_checked(self):
        for bad in ("a@b.example\r\nBcc: c@c.example", "", "a", "<a@b.example>"):
            for arguments in ({"sender": bad}, {"to": bad}, {"domain": bad + " x"}):
                with self.subTest(str(arguments)), self.assertRaises(AssertionError):
                    make(REPORT, **arguments)


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
