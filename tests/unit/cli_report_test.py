#!/usr/bin/env python3
"""strictmx report preview, send and status against a real strictmxd that hands mails to an SMTP sink.

Use: cli_report_test.py BUILD_DIR [TEST...]   BUILD_DIR holds strictmx and strictmxd

Results are sent with a time of yesterday, so that `report send` can send them today.
"""

import email
import gzip
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import cli_program
from cli_program import CONFIG, DATA, OK, TEMP, TIMEOUT_SECONDS, USAGE, run

MAILED, FILED, SKIPPED, SILENT = (f"{name}.cli.test" for name in
                                  ("mailed", "filed", "skipped", "silent"))


def day(back):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - back * 86400))


class SmtpSink(threading.Thread):
    """Takes every mail; keeps (sender, recipient, bytes)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.mails = []
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self.talk(stream)

    def talk(self, stream):
        def say(line):
            stream.write(line + b"\r\n")
            stream.flush()

        say(b"220 sink")
        sender = recipient = ""
        for line in stream:
            verb = line.strip().upper()
            if verb.startswith(b"MAIL"):
                sender = line.decode().split("<")[1].split(">")[0]
            elif verb.startswith(b"RCPT"):
                recipient = line.decode().split("<")[1].split(">")[0]
            elif verb == b"DATA":
                say(b"354 go on")
                lines = []
                for text in stream:
                    if text == b".\r\n":
                        break
                    lines.append(text[1:] if text.startswith(b".") else text)
                self.mails.append((sender, recipient, b"".join(lines)))
            say(b"221 bye" if verb == b"QUIT" else b"250 ok")


class Daemon:
    def __init__(self, folder, settings):
        self.folder = folder
        self.config = folder / "strictmx.toml"
        self.config.write_text(f"""
user = "root"
[listen]
socketmap = ["unix:{folder}/strictmx.sock"]
results = ["unix:{folder}/tlsrpt.sock"]
control = "unix:{folder}/control.sock"
admin = ""
[client]
control = "unix:{folder}/control.sock"
[dns]
mode = "forward"
resolvers = ["127.0.0.1"]
port = 9
dnssec = "off"
timeout = 1
[store]
path = "{folder}/store.db"
{settings}
""")
        self.config.chmod(0o644)
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [cli_program.BUILD / "strictmxd", "--config", self.config], stderr=log)
        self.wait_until(lambda: "strictmxd is ready" in self.log.read_text(), "strictmxd")

    def wait_until(self, is_there, what):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            found = is_there()
            if found:
                return found
            time.sleep(0.05)
        raise RuntimeError(f"no {what}:\n{self.log.read_text()}")

    def ask(self, *arguments):
        return run("report", *arguments, "--config", self.config)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(TIMEOUT_SECONDS)
        if code != 0:
            raise RuntimeError(self.log.read_text())

    def send_results(self, domains):
        noon_yesterday = (int(time.time()) // 86400 - 1) * 86400 + 43200
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for domain in domains:
                policy = {"policy-type": 2, "policy-domain": domain, "t": 1, "f": 1,
                          "failure-details": [{"c": 204, "n": "mx.cli.test"}]}
                sender.sendto(json.dumps({"dpv": "1", "d": domain, "policies": [policy],
                                          "strictmx": {"time": noon_yesterday}}).encode(),
                              str(self.folder / "tlsrpt.sock"))
        for domain in domains:
            self.wait_until(lambda: json.loads(
                self.ask("results", "--domain", domain, "--json").stdout)["results"],
                f"result of {domain}")


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="cli-"))
        (cls.folder / "reports").mkdir()
        cls.sink = SmtpSink()
        key = cls.folder / "dkim.pem"
        made = run("dkim-key", "--domain", "sender.test", "--selector", "tls", "--out", key)
        assert made.returncode == OK, made.stderr
        cls.daemon = Daemon(cls.folder, f"""
[report]
organization = "Example Mail"
contact = "tls@sender.test"
from = "noreply@sender.test"
dkim_keys = ["tls:{key}"]
smtp_server = "127.0.0.1:{cls.sink.port}"
[[report_rule]]
domain = "{MAILED}"
recipients = ["mailto:reader@cli.test"]
[[report_rule]]
domain = "{FILED}"
recipients = ["file:{cls.folder}/reports"]
[[report_rule]]
domain = "{SKIPPED}"
skip = true
""")
        cls.daemon.send_results([MAILED, FILED, SKIPPED, SILENT])

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()
        cls.sink.socket.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def ask(self, *arguments, code=OK):
        done = self.daemon.ask(*arguments)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def test_1_preview(self):
        found = json.loads(self.ask("preview", MAILED, "--day", day(1), "--json").stdout)
        self.assertEqual(found["recipients"], [
            {"uri": "mailto:reader@cli.test", "origin": "rule", "state": "waiting"}])
        self.assertNotIn("not_sent_because", found)
        report = found["report"]
        self.assertEqual((report["organization-name"], report["contact-info"]),
                         ("Example Mail", "tls@sender.test"))
        self.assertEqual(report["date-range"]["start-datetime"], day(1) + "T00:00:00Z")
        failure = report["policies"][0]["failure-details"][0]
        self.assertEqual((failure["result-type"], failure["failed-session-count"]),
                         ("certificate-expired", 1))
        mail = self.ask("preview", MAILED, "--day", day(1), "--mail").stdout
        self.assertTrue(mail.startswith("DKIM-Signature: "), mail[:200])
        page = self.ask("preview", MAILED, "--day", day(1)).stdout
        for want in (f"Report about {MAILED}, {day(1)}\n", "mailto:reader@cli.test",
                     '"organization-name": "Example Mail"', "TLS-Report-Domain: " + MAILED):
            self.assertIn(want, page)

    def test_2_preview_of_what_is_not_sent(self):
        for domain, why in ((SKIPPED, "a rule skips it"), (SILENT, f"_smtp._tls.{SILENT}: ")):
            page = self.ask("preview", domain, "--day", day(1)).stdout
            self.assertIn("not sent: " + why, page)
        # Nothing happened today.
        page = self.ask("preview", MAILED).stdout
        self.assertIn("not sent: no results are stored", page)
        done = self.ask("preview", MAILED, "--mail", code=DATA)
        self.assertIn("no mail would be sent", done.stderr)

    def test_3_dry_run_sends_nothing(self):
        lines = self.ask("send", "--dry-run").stdout.splitlines()
        self.assertEqual(lines[0].split(), ["DOMAIN", "STATE", "TO", "WHY", "NOT"])
        rows = {line.split()[0]: line for line in lines[1:]}
        self.assertEqual(set(rows), {MAILED, FILED, SKIPPED, SILENT})
        self.assertIn("mailto:reader@cli.test", rows[MAILED])
        self.assertIn("a rule skips it", rows[SKIPPED])
        found = json.loads(self.ask("send", "--dry-run", "--domain", FILED, "--json").stdout)
        self.assertEqual([one["domain"] for one in found["reports"]], [FILED])
        self.assertEqual(self.sink.mails, [])

    def test_4_send_and_status(self):
        text = self.ask("send").stdout
        self.assertIn(f"4 reports of {day(1)}: due now", text)
        self.daemon.wait_until(lambda: self.sink.mails, "mail")
        files = self.daemon.wait_until(
            lambda: list((self.folder / "reports").glob("*.json.gz")), "file")
        sender, recipient, data = self.sink.mails[0]
        self.assertEqual((sender, recipient), ("noreply@sender.test", "reader@cli.test"))
        mail = email.message_from_bytes(data)
        self.assertEqual((mail["TLS-Report-Domain"], mail["TLS-Report-Submitter"]),
                         (MAILED, "sender.test"))
        self.assertIn("d=sender.test; s=tls;", mail["DKIM-Signature"])
        _, part = mail.get_payload()
        report = json.loads(gzip.decompress(part.get_payload(decode=True)))
        self.assertEqual(report["policies"][0]["summary"]["total-failure-session-count"], 1)
        filed = json.loads(gzip.decompress(files[0].read_bytes()))
        self.assertEqual(filed["policies"][0]["policy"]["policy-domain"], FILED)

        def states():
            found = json.loads(self.ask("status", "--day", day(1), "--json").stdout)["reports"]
            return {one["domain"]: one for one in found}
        self.daemon.wait_until(
            lambda: states()[MAILED]["state"] == "done" and states()[FILED]["state"] == "done"
            and "why" in states()[SILENT], "report that is done")
        self.assertEqual(states()[SKIPPED]["state"], "not-sent")
        self.assertEqual(states()[SILENT]["state"], "waiting")
        self.assertEqual(states()[MAILED]["recipients"][0]["state"], "sent")
        page = self.ask("status", "--day", day(1)).stdout
        self.assertIn("a rule skips it", page)
        troubled = self.ask("status", "--troubled").stdout
        self.assertIn(SILENT, troubled)
        self.assertNotIn(MAILED, troubled)
        lines = self.ask("status").stdout.splitlines()
        self.assertEqual(lines[1].split(), [day(1), "1", "0", "2", "1", "0", "2", "0", "0"])
        found = json.loads(self.ask("status", "--json").stdout)
        self.assertEqual((found["on"], found["days"][0]["reports"]["done"]), (True, 2))

    def test_5_what_was_sent_is_not_sent_again(self):
        self.assertIn("0 reports", self.ask("send", "--domain", MAILED).stdout)
        self.assertEqual(len(self.sink.mails), 1)

    def test_6_bad_arguments(self):
        for arguments in (["send", "--day", day(0)], ["send", "--day", day(-1)],
                          ["send", "--day", "yesterday"], ["send", "--domain", "a b"],
                          ["status", "--day", "2026-02-30"], ["preview"], ["preview", "192.0.2.1"],
                          ["preview", MAILED, "--mail", "--json"]):
            with self.subTest(arguments):
                done = self.ask(*arguments, code=USAGE)
                self.assertEqual(done.stdout, "")
                self.assertNotEqual(done.stderr, "")


class WithoutReports(cli_program.Folder):
    def test_off(self):
        daemon = Daemon(self.folder, '[report]\norganization = "Example Mail"')
        try:
            lines = [line for line in daemon.log.read_text().splitlines() if "reports are" in line]
            self.assertEqual(len(lines), 1)
            self.assertIn('reports are off reason="report.contact, report.from: not set"', lines[0])
            daemon.send_results([MAILED])
            done = daemon.ask("send")
            self.assertEqual(done.returncode, TEMP, done.stderr)
            self.assertIn("reports are off: report.contact, report.from: not set", done.stderr)
            self.assertIn("Reports are off: report.contact, report.from: not set",
                          daemon.ask("status").stdout)
        finally:
            daemon.stop()

    def test_settings_that_can_not_be(self):
        author = {"organization": "Example", "contact": "tls@sender.test", "from": "a@sender.test"}
        cases = [
            ("report.contact", {"contact": "nobody"}, "a plain mail address"),
            ("report.from", {"from": "a@b, c@d"}, "a plain mail address"),
            ("report.organization", {"organization": "x" * 600}, "at most"),
            ("report.dkim_keys", {"dkim_keys": ["no-selector"]}, "SELECTOR:FILE"),
            ("report.smtp_server", {"smtp_server": "localhost"}, "HOST:PORT"),
            ("report.smtp_server", {"smtp_server": "::1:25"}, "HOST:PORT"),
            ("report.smtp_server", {"smtp_server": "localhost:smtp"}, "HOST:PORT"),
            ("report.max_recipients", {"max_recipients": 0}, "from 1 to 32"),
        ]
        rules = ['domain = "*"', 'domain = "a b"\nskip = "true"',
                 'domain = "a.test"\nskip = "perhaps"',
                 'domain = "a.test"\nrecipients = ["gopher://a.test/"]',
                 'domain = "a.test"\nrecipients = ["file:relative"]',
                 'domain = "a.test"\nskip = "true"\n[[report_rule]]\ndomain = "A.test"\nskip = "true"']
        texts = [(key, json_toml({**author, **changes}), want) for key, changes, want in cases]
        texts += [("report_rule", json_toml(author) + f"[[report_rule]]\n{rule}\n", "")
                  for rule in rules]
        for key, text, want in texts:
            with self.subTest(text):
                config = self.folder / "strictmx.toml"
                config.write_text(text + f'[store]\npath = "{self.folder}/store.db"\n[listen]\n'
                                  f'socketmap = []\nresults = []\nadmin = ""\n'
                                  f'control = "unix:{self.folder}/control.sock"\n')
                done = run("--config", config, "--set", "user=root", program="strictmxd")
                self.assertEqual(done.returncode, CONFIG, done.stderr)
                self.assertIn(key, done.stderr)
                self.assertIn(want, done.stderr)


    def test_key_that_can_not_be_used(self):
        """Mail servers need their answers, whatever is wrong with reports."""
        others = self.folder / "others.pem"
        run("dkim-key", "--domain", "sender.test", "--selector", "tls", "--out", others)
        others.chmod(0o644)
        for key, want in ((self.folder / "none.pem", "none.pem"), (others, "others")):
            with self.subTest(key):
                daemon = Daemon(self.folder, json_toml({
                    "organization": "Example", "contact": "tls@sender.test",
                    "from": "a@sender.test", "dkim_keys": [f"tls:{key}"]}))
                try:
                    lines = [line for line in daemon.log.read_text().splitlines()
                             if "reports are off" in line]
                    self.assertEqual(len(lines), 1)
                    self.assertIn(want, lines[0])
                    status = daemon.ask("status").stdout
                    self.assertIn("Reports are off: report.dkim_keys: ", status)
                    self.assertIn(want, status)
                    check = run("--check-config", "--config", daemon.config, program="strictmxd")
                    self.assertEqual(check.returncode, CONFIG)
                    self.assertIn(want, check.stderr)
                finally:
                    daemon.stop()


def json_toml(settings):
    """Texts, numbers and lists of texts look the same in both."""
    return "[report]\n" + "".join(f"{key} = {json.dumps(value)}\n"
                                  for key, value in settings.items())


if __name__ == "__main__":
    cli_program.main(__doc__)
