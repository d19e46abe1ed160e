#!/usr/bin/env python3
"""The command strictmx as an operator meets it: output, exit codes, bad input; man pages, sample file.

Use: cli_test.py BUILD_DIR [TEST...]   BUILD_DIR holds strictmx and strictmxd

Setup: the programs of the build, a temporary folder, a made-up postconf(1) on PATH, and for the
questions a real strictmxd on private UNIX sockets that asks a DNS server in this process. Its store
is filled beforehand, so that no HTTPS server is needed. Nothing outside loopback is touched.
"""

import gzip
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import cli_program
from cli_program import (CONFIG, DATA, FORBIDDEN, NOBODY, NOINPUT, OK, OUTPUT, SOURCE, TEMP,
                         TIMEOUT_SECONDS, UNAVAILABLE, USAGE, Folder, run)

POLICY = b"version: STSv1\nmode: enforce\nmx: mx1.example.org\nmx: *.example.net\nmax_age: 86400\n"


# RFC 8460 Appendix B in short, with what §4.4 says of it.
REPORT = {
    "organization-name": "Company-X",
    "date-range": {"start-datetime": "2016-04-01T00:00:00Z",
                   "end-datetime": "2016-04-01T23:59:59Z"},
    "contact-info": "sts-reporting@company-x.example",
    "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
    "policies": [{
        "policy": {"policy-type": "sts", "policy-string": ["version: STSv1", "mode: testing"],
                   "policy-domain": "company-y.example", "mx-host": ["*.mail.company-y.example"]},
        "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 300},
        "failure-details": [
            {"result-type": "certificate-expired", "sending-mta-ip": "2001:db8:abcd:12::1",
             "receiving-mx-hostname": "mx1.mail.company-y.example", "failed-session-count": 100},
            {"result-type": "starttls-not-supported", "sending-mta-ip": "198.51.100.62",
             "receiving-mx-hostname": "mx-backup.mail.company-y.example",
             "receiving-ip": "203.0.113.56", "failed-session-count": 200,
             "failure-reason-code": "no STARTTLS"}]}],
}


def report_json(**changes):
    """The bytes of REPORT with members of its policy changed; None takes a member away."""
    report = json.loads(json.dumps(REPORT))
    policy = report["policies"][0]["policy"]
    for name, value in changes.items():
        policy[name.replace("_", "-")] = value
    report["policies"][0]["policy"] = {k: v for k, v in policy.items() if v is not None}
    return json.dumps(report).encode()


class Parse(Folder):
    def check(self, kind, rows):
        for name, text, code, want in rows:
            with self.subTest(name):
                done = run("parse", *kind.split(), stdin=text)
                self.assertEqual(done.returncode, code, done.stderr)
                if code == OK:
                    self.assertEqual(json.loads(done.stdout), want)
                    self.assertEqual(done.stderr, "")
                else:
                    self.assertEqual(done.stdout, "")
                    self.assertRegex(done.stderr, want)
                    self.assertRegex(done.stderr, r"RFC 846[01] §")
                    self.assertNotRegex(done.stderr, r"[\x00-\x09\x0b-\x1f\x7f]")

    def test_sts_record(self):
        self.check("sts-record", [
            ("plain", b"v=STSv1; id=20260101T0000;", OK, {"id": "20260101T0000"}),
            ("line end", b"v=STSv1; id=a\n", OK, {"id": "a"}),
            ("beside others", b"spf\nv=STSv1; id=a;\nv=DKIM1\n", OK, {"id": "a"}),
            ("blank lines", b"\n\nv=STSv1; id=a\n\n", OK, {"id": "a"}),
            ("no id", b"v=STSv1;\n", DATA, r"line 1: .*id is missing"),
            ("letter case", b"v=stsv1; id=a\n", DATA, r"line 1: byte 1"),
            ("two records", b"v=STSv1; id=a;\nv=STSv1; id=b;\n", DATA, r"2 records"),
            ("the bad one's line", b"other\nv=STSv1; id=-\n", DATA, r"line 2: byte 10: id"),
            ("unrelated ones", b"spf\nother\n", DATA, r"none of the 2 records"),
            ("empty", b"", DATA, r"no record"),
            ("CR is part of a record", b"v=STSv1; id=a\r\n", DATA, r"line 1: .*x0d"),
            ("NUL", b"v=STSv1; id=a\0b\n", DATA, r"line 1: .*x00"),
            ("escape sequence", b"v=STSv1; id=\x1b[31mred\n", DATA, r"line 1: .*x1b"),
            ("not UTF-8", b"v=STSv1; id=\xff\xfe\n", DATA, r"line 1: .*xff"),
            ("over 8192 bytes", b"v=STSv1; id=a;" + b" " * 9000 + b"\n", DATA, r"8192"),
            ("a flood", b"v=STSv1; id=a;\n" * 65, DATA, r"64"),
        ])

    def test_sts_policy(self):
        mx = ["mx1.example.org", "*.example.net"]
        self.check("sts-policy", [
            ("plain", POLICY, OK, {"mode": "enforce", "max_age": 86400, "mx": mx}),
            ("CRLF", POLICY.replace(b"\n", b"\r\n"), OK,
             {"mode": "enforce", "max_age": 86400, "mx": mx}),
            ("none without mx", b"version: STSv1\nmode: none\nmax_age: 0", OK,
             {"mode": "none", "max_age": 0, "mx": []}),
            ("max_age above the maximum", b"version: STSv1\nmode: none\nmax_age: 9999999999", OK,
             {"mode": "none", "max_age": 31557600, "mx": []}),
            ("bad mx", b"version: STSv1\nmode: enforce\nmx: a b\n", DATA, r"line 3: mx: "),
            ("no max_age", b"version: STSv1\nmode: none\n", DATA, r"line 2, the last: max_age is"),
            ("empty", b"", DATA, r"line 1, the last: version is missing"),
            ("binary", bytes(range(256)), DATA, r"line 1: "),
            ("escape sequence", b"version: STSv1\nmode: \x1b]0;x\x07\n", DATA, r"line 2: .*x1b"),
            ("byte order mark", b"\xef\xbb\xbf" + POLICY, DATA, r"line 1: .*byte order mark"),
            ("65537 bytes", POLICY + b"\n" * (65537 - len(POLICY)), DATA, r"65536 bytes"),
            ("huge", b"\n" * 3000000, DATA, r"standard input: over 1048576 bytes"),
        ])

    def test_tlsrpt_record(self):
        self.check("tlsrpt-record", [
            ("two URIs", b"v=TLSRPTv1; rua=mailto:a@example.org,https://example.org/r\n", OK,
             {"rua": ["mailto:a@example.org", "https://example.org/r"]}),
            ("no rua", b"v=TLSRPTv1;\n", DATA, r"line 1: .*rua is missing"),
            ("unrelated", b"v=spf1 -all\n", DATA, r"line 1: byte 1"),
            ("newline in a URI", b"v=TLSRPTv1; rua=mailto:a@b\x0b.example\n", DATA, r"line 1: .*x0b"),
        ])

    def test_tlsrpt_report(self):
        plain = report_json()
        self.check("tlsrpt-report --json", [
            ("JSON", plain, OK, REPORT),
            ("pretty-printed", json.dumps(REPORT, indent=4).encode(), OK, REPORT),
            ("gzip", gzip.compress(plain), OK, REPORT),
            ("empty", b"", DATA, r"tlsrpt-report: line 1, column 0: "),
            ("no JSON", b"<html>", DATA, r"line 1, column \d+: no I-JSON"),
            ("an array", b"[]", DATA, r"the text: an array, want an object"),
            ("no report", b"{}", DATA, r"date-range: missing"),
            ("place", plain.replace(b'"failed-session-count": 200', b'"failed-session-count": -2'),
             DATA, r"policies\[0\]\.failure-details\[1\]\.failed-session-count: "),
            ("repeated member", b'{"a": 1, "a": 2}', DATA, r"duplicate"),
            ("escape sequence", b'{"date-range": {"start-datetime": "\\u001b[31m"}}', DATA,
             r"date-range\.start-datetime: found \"\\x1b"),
            ("not UTF-8", b'{"\xff": 1}', DATA, r"byte 0xff"),
            ("deep", b"[" * 100000, DATA, r"over 16 levels"),
            ("cut gzip", gzip.compress(plain)[:-4], DATA, r"gzip: ends too early"),
            ("gzip with something behind", gzip.compress(plain) + b"x", DATA, r"1 bytes behind"),
            ("bomb", gzip.compress(b" " * (20 * 1024 * 1024)), DATA, r"gzip: over 500 times"),
            ("huge", b" " * (48 * 1024 * 1024 + 1), DATA, r"over 50331648 bytes"),
            ("endless", b" " * (49 * 1024 * 1024), DATA, r"standard input: over 50331649 bytes"),
        ])

    def test_tlsrpt_report_remarks(self):
        # RFC 8460 erratum 6241: a text for an array; what is printed is the array again.
        text = report_json(mx_host="mx: *.mail.company-y.example")
        done = run("parse", "tlsrpt-report", "--json", stdin=text)
        self.assertEqual((done.returncode, json.loads(done.stdout)), (OK, REPORT))
        self.assertRegex(done.stderr, r"remark: policies\[0\]\.policy\.mx-host: one string where")
        self.assertRegex(done.stderr, r"remark: policies\[0\]\.policy\.mx-host: \"mx:\" before")
        page = run("parse", "tlsrpt-report", stdin=text)
        self.assertEqual((page.returncode, page.stderr), (OK, ""))
        self.assertIn("policies[0].policy.mx-host: one string where an array belongs", page.stdout)
        flood = run("parse", "tlsrpt-report", "--json",
                    stdin=report_json(mx_host=["mx:a.example"] * 150))
        self.assertEqual(flood.returncode, OK)
        self.assertEqual(len(flood.stderr.splitlines()), 101)
        self.assertIn("remark: 50 more", flood.stderr)

    def test_tlsrpt_report_page(self):
        report = self.folder / "report.json.gz"
        report.write_bytes(gzip.compress(report_json()))
        done = run("parse", "tlsrpt-report", report)
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        for want in ("TLS report of Company-X", "2016-04-01\n", "5326 sessions (94.66 %)",
                     "300 sessions", "1. MTA-STS policy for company-y.example",
                     "The certificate has expired.", "The MX host did not offer STARTTLS."):
            self.assertIn(want, done.stdout)
        self.assertNotIn("Departures", done.stdout)
        lines = done.stdout.splitlines()
        table = [line for line in lines if re.match(r" +(sessions +result|[12]00 )", line)]
        self.assertEqual(len(table), 3)
        for title, cells in (("result type", ("certificate-expired", "starttls-not-supported")),
                             ("MX host", ("mx1.", "mx-backup.")), ("reason", (None, "no STARTTLS")),
                             ("sent from", ("2001:db8:abcd:12::1", "198.51.100.62"))):
            column = table[0].index(title)
            for line, cell in zip(table[1:], cells):
                self.assertTrue(cell is None or line[column:].startswith(cell), line)
        self.assertNotIn("HELO", table[0])  # nobody said it
        hostile = run("parse", "tlsrpt-report",
                      stdin=report_json(policy_domain="\x1b[2J\u202e", policy_type="a\nb"))
        self.assertEqual(hostile.returncode, OK)
        self.assertNotRegex(hostile.stdout, r"[\x00-\x09\x0b-\x1f\x7f\u202e]")
        self.assertIn('"a\\x0ab"', hostile.stdout)

    def test_mx(self):
        for host, want in (("mx1.example.org", True), ("MX1.Example.ORG.", True),
                           ("a.example.net", True), ("b.a.example.net", False),
                           ("example.net", False), ("evil.example", False)):
            with self.subTest(host):
                done = run("parse", "sts-policy", "--mx", host, stdin=POLICY)
                self.assertEqual((done.returncode, json.loads(done.stdout)["matches"]), (OK, want))
        for host in ("192.0.2.1", "a b", "", "a..b", "x" * 64 + ".example"):
            with self.subTest(host):
                done = run("parse", "sts-policy", "--mx", host, stdin=POLICY)
                self.assertEqual(done.returncode, USAGE)
        self.assertEqual(run("parse", "sts-record", "--mx", "a.example").returncode, USAGE)

    def test_files(self):
        policy = self.folder / "policy.txt"
        policy.write_bytes(POLICY)
        self.assertEqual(run("parse", "sts-policy", policy).returncode, OK)
        self.assertEqual(run("parse", "sts-policy", "-", stdin=POLICY).returncode, OK)
        for missing in (self.folder / "missing", self.folder):
            done = run("parse", "sts-policy", missing)
            self.assertEqual(done.returncode, NOINPUT, done.stderr)
        self.assertEqual(run("parse", "sts-policy", "/dev/zero").returncode, DATA)

    def test_no_configuration_is_read(self):
        done = run("parse", "sts-policy", "--config", self.folder / "missing", stdin=POLICY)
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_output_that_can_not_be_written(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([cli_program.BUILD / "strictmx", "parse", "sts-policy"],
                                  input=POLICY, stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, OUTPUT)


class CommandLine(Folder):
    def test_usage_errors(self):
        for arguments in ([], ["frobnicate"], ["query"], ["query", "a.example", "b.example"],
                          ["query", "--bogus", "a.example"], ["query", "a", "--map", "a b"],
                          ["query", "a", "--map", "m" * 33], ["query", "a", "--map", "x", "--json"],
                          ["query", "a", "--timeout", "0"], ["query", "a", "--timeout", "soon"],
                          ["policies"], ["policies", "frob"], ["policies", "purge"],
                          ["policies", "purge", "a.example", "--all"], ["policies", "show"],
                          ["policies", "list", "--limit", "0"], ["parse"], ["parse", "spf"],
                          ["parse", "sts-record", "--json"],
                          ["setup"], ["setup", "exim"]):
            with self.subTest(arguments):
                done = run(*arguments)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertTrue(done.stderr.startswith("strictmx: "), done.stderr)
        self.assertIn("frobnicate", run("frobnicate").stderr)
        self.assertNotIn("\x1b", run("\x1b[31m").stderr)

    def test_help_and_version(self):
        for arguments in ([], ["query"], ["explain"], ["policies"], ["policies", "list"],
                          ["policies", "show"], ["policies", "refresh"], ["policies", "purge"],
                          ["policies", "export"], ["parse"], ["parse", "sts-record"],
                          ["parse", "sts-policy"], ["parse", "tlsrpt-record"],
                          ["parse", "tlsrpt-report"], ["setup"],
                          ["setup", "postfix"]):
            with self.subTest(arguments):
                done = run(*arguments, "--help")
                self.assertEqual(done.returncode, OK)
                self.assertIn("Usage: ", done.stdout)
        self.assertRegex(run("--version").stdout, r"^strictmx \d+\.\d+\.\d+\n$")

    def test_daemon_is_not_there(self):
        server = f"unix:{self.folder}/strictmx.sock"
        control = f"unix:{self.folder}/control.sock"
        sets = ["--set", f"client.server={server}", "--set", f"client.control={control}"]
        for arguments, address in ((["query", "a.example"], server),
                                   (["query", "--json", "a.example"], server),
                                   (["explain", "a.example"], control),
                                   (["policies", "list"], control),
                                   (["policies", "show", "a.example"], control),
                                   (["policies", "refresh", "a.example"], control),
                                   (["policies", "purge", "--all"], control),
                                   (["policies", "export"], control)):
            with self.subTest(arguments):
                done = run(*arguments, *sets)
                self.assertEqual(done.returncode, UNAVAILABLE)
                self.assertEqual(done.stdout, "")
                self.assertIn(address, done.stderr)
                self.assertIn("Is it running?", done.stderr)

    def test_something_else_listens(self):
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        path = self.folder / "other.sock"
        listening.bind(str(path))
        listening.listen()

        def serve():
            for reply in (b"220 mail ESMTP\r\n", b"3:{x},"):
                connection = listening.accept()[0]
                connection.sendall(reply)
                connection.recv(4096)
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        for arguments in (["query", "a.example"], ["explain", "a.example"]):
            done = run(*arguments, "--set", f"client.server=unix:{path}",
                       "--set", f"client.control=unix:{path}")
            self.assertEqual(done.returncode, UNAVAILABLE, done.stderr)
        thread.join()

    def test_silence_ends_with_the_timeout(self):
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        path = self.folder / "silent.sock"
        listening.bind(str(path))
        listening.listen()
        done = run("query", "a.example", "--timeout", "1", "--set", f"client.server=unix:{path}")
        self.assertEqual(done.returncode, TEMP, done.stderr)

    def test_configuration_errors(self):
        rows = [
            ("unknown key", "[dns]\nbogus = 1\n", r"bad\.toml:2: dns\.bogus"),
            ("unknown section", "\n[frob]\nx = 1\n", r"bad\.toml:3: frob\.x"),
            ("type", "[answer]\nwait = \"long\"\n", r"bad\.toml:2: answer\.wait"),
            ("range", "[answer]\nwait = 96\n", r"bad\.toml:2: answer\.wait: .* 1 to 95"),
            ("choice", "[dns]\nmode = \"magic\"\n", r"bad\.toml:2: dns\.mode"),
            ("syntax", "[dns\n", r"bad\.toml:1: "),
        ]
        config = self.folder / "bad.toml"
        for name, text, want in rows:
            with self.subTest(name):
                config.write_text(text)
                done = run("query", "a.example", "--config", config)
                self.assertEqual(done.returncode, CONFIG)
                self.assertRegex(done.stderr, want)
        config.write_text("")
        config.chmod(0o666)
        done = run("query", "a.example", "--config", config)
        self.assertEqual(done.returncode, CONFIG)
        self.assertIn("others may write", done.stderr)
        for option in ("nonsense", "dns.bogus=1", "answer.wait=x", "=1"):
            with self.subTest(option):
                done = run("query", "a.example", "--set", option)
                self.assertEqual(done.returncode, CONFIG)
                self.assertIn("--set", done.stderr)
        done = run("query", "a.example", "--config", self.folder / "missing.toml")
        self.assertEqual(done.returncode, CONFIG)


# The made-up postconf: answers from site.json beside it, and logs what it is told to set.
FAKE_POSTCONF = """#!{python} -IS
import json, pathlib, sys
here = pathlib.Path(__file__).parent
site = json.loads((here / "site.json").read_text())
arguments = sys.argv[1:]
if arguments[:1] == ["-c"]:
    site["-c"] = arguments[1]
    arguments = arguments[2:]
with open(here / "log", "a") as log:
    log.write(json.dumps([site.get("-c"), arguments]) + "\\n")
if pathlib.Path(__file__).name == "postfix":
    sys.exit(0)
if "failure" in site:
    sys.stderr.write(site["failure"] + "\\n")
    sys.exit(1)
parameters = site["parameters"]
option, names = arguments[0], arguments[1:]
if not option.startswith("-"):
    option, names = "", arguments
if option == "-e":
    sys.exit(0)
if option == "-m":
    print("\\n".join(site["maps"]))
elif option == "-M":
    print(site["service"])
else:
    for name in names:
        if name not in parameters:
            sys.stderr.write("postconf: warning: " + name + ": unknown parameter\\n")
            continue
        value = parameters[name]
        if option == "-x":
            value = value.replace("$config_directory", parameters["config_directory"])
        print((name + " = " + value).rstrip(" "))
"""

MAPS = "smtp_tls_policy_maps"
OURS = "socketmap:inet:127.0.0.1:8461:postfix"
OURS_TLSRPT = OURS + "-tlsrpt"
ROOTS = "/etc/postfix/roots.pem"


def site(version="3.7.11", chroot="y", maps=("btree", "hash", "socketmap"), **parameters):
    """A site whose TLS is set up but for the policy map."""
    values = {"mail_version": version, "config_directory": "/etc/postfix",
              "queue_directory": "/var/spool/postfix", "compatibility_level": "3.6",
              "smtp_tls_security_level": "may", "smtp_use_tls": "no", "smtp_enforce_tls": "no",
              "smtp_tls_CAfile": ROOTS, "smtp_tls_CApath": "", "smtp_tls_wrappermode": "no",
              "smtp_tls_loglevel": "0", "smtp_tls_policy_maps": "", "relayhost": "",
              "transport_maps": "", "default_transport": "smtp"}
    values.update(parameters)
    return {"parameters": values, "maps": list(maps),
            "service": f"smtp       unix  -       -       {chroot}       -       -       smtp"}


class PostfixSite(Folder):
    """strictmx setup postfix on a made-up site."""

    def setUp(self):
        super().setUp()
        for name in ("postconf", "postfix"):
            program = self.folder / name
            program.write_text(FAKE_POSTCONF.format(python=sys.executable))
            program.chmod(0o755)
        self.environment = {**os.environ, "PATH": f".:{self.folder}:/usr/bin:/bin"}
        self.roots = self.folder / "roots.pem"
        self.roots.write_text("")

    def setup_postfix(self, made_up, *arguments):
        (self.folder / "site.json").write_text(json.dumps(made_up))
        (self.folder / "log").write_text("")
        return run("setup", "postfix", "--set", f"https.ca_file={self.roots}", *arguments,
                   env=self.environment)

    def advice(self, made_up, *arguments):
        done = self.setup_postfix(made_up, "--json", *arguments)
        self.assertIn(done.returncode, (OK, CONFIG), done.stderr)
        advice = json.loads(done.stdout)
        self.assertEqual(advice["possible"], done.returncode == OK)
        return advice

    def settings(self, made_up, *arguments):
        advice = self.advice(made_up, *arguments)
        return {setting["name"]: setting["value"] for setting in advice["settings"]}

    def run_script(self, script):
        """What the printed lines set when a shell runs them."""
        (self.folder / "log").write_text("")
        subprocess.run(["/bin/sh", "-eu"], input=script.encode(), check=True, cwd=self.folder,
                       env=self.environment, timeout=TIMEOUT_SECONDS)
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]


class SetupPostfix(PostfixSite):
    def test_map_by_version_and_maps_that_are_there(self):
        rows = [
            ("3.4", "3.4.0", "", OURS),
            ("3.7", "3.7.11", "", OURS),
            ("3.9", "3.9.4", "", OURS),
            ("3.10", "3.10.0", "", OURS_TLSRPT),
            ("3.10.5", "3.10.5", "", OURS_TLSRPT),
            ("snapshot", "3.12-20260821", "", OURS_TLSRPT),
            ("4.0", "4.0.0", "", OURS_TLSRPT),
            ("own map first", "3.7.11", "hash:/etc/postfix/tls_policy",
             f"hash:/etc/postfix/tls_policy, {OURS}"),
            ("two, $name kept", "3.7.11", "hash:$config_directory/a btree:/b",
             f"hash:$config_directory/a btree:/b, {OURS}"),
            ("braces", "3.7.11", "inline:{{a.example = secure, x}}, hash:/a",
             f"inline:{{{{a.example = secure, x}}}}, hash:/a, {OURS}"),
            ("set already", "3.7.11", OURS, None),
            ("set already through proxy", "3.7.11", f"hash:/a proxy:{OURS}", None),
            ("set already, newer", "3.10.5", f"hash:/a, {OURS_TLSRPT}", None),
            ("after an update of Postfix", "3.10.5", f"hash:/a, {OURS}", f"hash:/a, {OURS_TLSRPT}"),
            ("attributes that it refuses", "3.7.11", OURS_TLSRPT, OURS),
            ("postfix-tlspol's name", "3.7.11", "socketmap:inet:127.0.0.1:8461:QUERY", OURS),
            ("ours twice", "3.10.5", f"{OURS}, {OURS}-x", OURS_TLSRPT),
        ]
        for name, version, present, want in rows:
            with self.subTest(name):
                self.assertEqual(self.settings(site(version, smtp_tls_policy_maps=present)).get(MAPS),
                                 want)

    def test_nothing_to_set(self):
        made_up = site(smtp_tls_policy_maps=OURS)
        done = self.setup_postfix(made_up)
        self.assertEqual(done.returncode, OK)
        self.assertIn("Everything is set already", done.stdout)
        self.assertEqual(self.run_script(done.stdout), [])

    def test_blocked(self):
        rows = [
            ("too old", site("3.3.9"), "too old"),
            ("no version", site("mail"), "no version"),
            ("no socketmap", site(maps=("hash", "btree")), "socketmap"),
            ("dane", site("3.10.5", smtp_tls_security_level="dane"), "DANE"),
            ("dane-only", site("3.10.5", smtp_tls_security_level="dane-only"), "dane-only"),
            ("fingerprint", site(smtp_tls_security_level="fingerprint"), "fingerprint"),
        ]
        for name, made_up, why in rows:
            with self.subTest(name):
                advice = self.advice(made_up)
                self.assertFalse(advice["possible"])
                self.assertIn(why, advice["blocked"])
                self.assertEqual(advice["settings"], [])
                self.assertEqual(advice["commands"], [])
                done = self.setup_postfix(made_up)
                self.assertEqual(done.returncode, CONFIG)
                self.assertEqual(self.run_script(done.stdout), [])

    def test_level(self):
        rows = [("", "no", "no", "may"), ("none", "no", "no", "may"), ("may", "no", "no", None),
                ("encrypt", "no", "no", None), ("verify", "no", "no", None),
                ("secure", "no", "no", None), ("", "yes", "no", None), ("", "no", "yes", None)]
        for level, use, enforce, want in rows:
            with self.subTest(level=level, use=use, enforce=enforce):
                made_up = site(smtp_tls_security_level=level, smtp_use_tls=use,
                               smtp_enforce_tls=enforce)
                self.assertEqual(self.settings(made_up).get("smtp_tls_security_level"), want)

    def test_roots(self):
        unset = site(smtp_tls_CAfile="", smtp_tls_CApath="")
        self.assertEqual(self.settings(unset).get("smtp_tls_CAfile"), str(self.roots))
        self.roots.unlink()
        self.assertTrue(any("can't be read" in text for text in self.advice(unset)["warnings"]))
        for chroot, is_warned in (("y", True), ("n", False)):
            advice = self.advice(site(chroot=chroot, smtp_tls_CAfile="",
                                      smtp_tls_CApath="/etc/ssl/certs"))
            self.assertNotIn("smtp_tls_CAfile", [one["name"] for one in advice["settings"]])
            text = "/var/spool/postfix/etc/ssl/certs"
            self.assertEqual(any(text in one for one in advice["warnings"]), is_warned)

    def test_addresses(self):
        def maps(chroot, listeners, code=OK):
            advice = self.advice(site(chroot=chroot), "--set", f"listen.socketmap={listeners}")
            self.assertEqual(advice["possible"], code == OK)
            return advice.get("map")

        self.assertEqual(maps("y", '["127.0.0.1:9000"]'), "socketmap:inet:127.0.0.1:9000:postfix")
        self.assertEqual(maps("y", '["*:9000"]'), "socketmap:inet:127.0.0.1:9000:postfix")
        self.assertEqual(maps("y", '["[::1]:9000"]'), "socketmap:inet:[::1]:9000:postfix")
        self.assertEqual(maps("y", '["192.0.2.1:1", "127.0.0.1:2"]'),
                         "socketmap:inet:127.0.0.1:2:postfix")
        self.assertEqual(maps("n", '["unix:/run/x.sock"]'), "socketmap:unix:/run/x.sock:postfix")
        self.assertEqual(maps("y", '["unix:/run/x.sock", "unix:/var/spool/postfix/run/x.sock"]'),
                         "socketmap:unix:run/x.sock:postfix")
        self.assertIsNone(maps("y", '["unix:/run/x.sock"]', CONFIG))

    def test_chroot_column(self):
        def chroot(column, level):
            return self.advice(site(chroot=column, compatibility_level=level))["chroot"]

        self.assertTrue(chroot("y", "3.6"))
        self.assertFalse(chroot("n", "0"))
        self.assertFalse(chroot("-", "2"))
        self.assertTrue(chroot("-", "0"))

    def test_warnings(self):
        rows = [
            (dict(relayhost="[relay.example]:587"), "relayhost"),
            (dict(transport_maps="hash:/etc/postfix/transport"), "transport_maps"),
            (dict(smtp_tls_wrappermode="yes"), "wrappermode"),
            (dict(default_transport="out:"), "default_transport"),
            (dict(smtp_tls_policy_maps="socketmap:inet:127.0.0.1:8642:QUERY"), "8642"),
            (dict(), "strictmxd does not answer"),
            (dict(), "skips MX hosts"),
        ]
        for parameters, want in rows:
            with self.subTest(want):
                advice = self.advice(site(**parameters), "--set",
                                     'listen.socketmap=["127.0.0.1:1"]')
                self.assertTrue(any(want in text for text in advice["warnings"]),
                                advice["warnings"])
        new = self.advice(site("3.10.5", smtp_tls_enforce_sts_mx_patterns="no"))
        self.assertIn("smtp_tls_enforce_sts_mx_patterns", [one["name"] for one in new["settings"]])
        none = site()
        none["service"] = ""
        self.assertTrue(any("no service" in text for text in self.advice(none)["warnings"]))

    def test_lines_are_safe_in_a_shell(self):
        for present in ("hash:/a'b", "inline:{{x = 'y' \"z\" }}", "hash:$(touch pwned)",
                        "hash:`touch pwned`", "hash:/a\\'b; touch pwned", "hash:/$config_directory"):
            with self.subTest(present):
                made_up = site(smtp_tls_policy_maps=present, smtp_tls_CAfile="",
                               smtp_tls_security_level="none", relayhost="'; touch pwned; '")
                done = self.setup_postfix(made_up)
                self.assertEqual(done.returncode, OK, done.stderr)
                told = self.run_script(done.stdout)
                self.assertEqual(told, [
                    [None, ["-e", f"{MAPS} = {present}, {OURS}"]],
                    [None, ["-e", "smtp_tls_security_level = may"]],
                    [None, ["-e", f"smtp_tls_CAfile = {self.roots}"]],
                    [None, ["reload"]]])
                self.assertFalse((self.folder / "pwned").exists())

    def test_hostile_values_stay_in_comments(self):
        made_up = site(relayhost="x\x1b[31m\ny", transport_maps="\x07",
                       smtp_tls_policy_maps="hash:/a\x1b[2J")
        done = self.setup_postfix(made_up)
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertNotRegex(done.stdout, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertIn("by hand", done.stdout)
        self.assertEqual(self.run_script(done.stdout), [])

    def test_config_directory(self):
        done = self.setup_postfix(site(), "--config-directory", "/etc/post fix")
        asked = [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]
        self.assertEqual({directory for directory, _ in asked}, {"/etc/post fix"})
        told = self.run_script(done.stdout)
        self.assertEqual(told[0], ["/etc/post fix", ["-e", f"{MAPS} = {OURS}"]])
        self.assertEqual(told[-1], ["/etc/post fix", ["reload"]])

    def test_postconf_fails(self):
        done = self.setup_postfix({"failure": "postconf: fatal: open /etc/postfix/main.cf: no"})
        self.assertEqual(done.returncode, UNAVAILABLE)
        self.assertIn("fatal: open", done.stderr)

    def test_postconf_is_not_there(self):
        usual = ("/usr/sbin/postconf", "/usr/local/sbin/postconf", "/opt/postfix/usr/sbin/postconf")
        if any(os.path.exists(path) for path in usual):
            self.skipTest("a real Postfix is installed here")
        # A relative part of PATH is passed over, also when postconf is in it.
        done = run("setup", "postfix", env={"PATH": f".:{self.folder}/none"}, cwd=self.folder)
        self.assertEqual(done.returncode, UNAVAILABLE)
        self.assertIn("postconf", done.stderr)


class OverrideTables(unittest.TestCase):
    """[[override]] of the configuration file: what is wrong is told with file and line."""

    def check(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            return run("--check-config", "--config", file.name, program="strictmxd"), file.name

    def test_good(self):
        done, _ = self.check('[[override]]\ndomain = "a.example"\nmode = "none"\n'
                             '[[override]]\ndomain = "b.example"\nmx = ["mx.b.example"]\n'
                             'until = 2099-01-31\nnote = "why"\n')
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_bad(self):
        head = '[[override]]\ndomain = "a.example"\n'
        for text, line, word in (
                (head, 1, "mode:"), (head + 'mode = "none"\n' + head + 'mode = "none"\n', 4,
                                     "second"),
                (head + 'mode = "off"\n', 1, "mode:"), (head + "mode = 1\n", 1, "mode:"),
                (head + 'mods = "none"\n', 1, "mods:"),
                (head + 'mode = "none"\nuntil = 07:32:00\n', 1, "until:"),
                (head + 'mx = [1]\n', 1, "mx:"),
                ('[[override]]\ndomain = ["a.example", "b.example"]\nmode = "none"\n', 1,
                 "domain:"),
                (head + 'mode = "none"\nuntil = []\n', 1, "until:"), ('override = 1\n', 1, "override:"),
                ('[override]\ndomain = "a.example"\n', 1, "override:")):
            with self.subTest(text):
                done, name = self.check(text)
                self.assertEqual(done.returncode, CONFIG)
                self.assertIn(f"{name}:{line}: ", done.stderr)
                self.assertIn(word, done.stderr)


class NameServer:
    """A resolver at port 53 of a loopback address: every answer has these flags, or there is none."""

    def __init__(self, address, flags):
        self.address = address
        self.questions = 0
        self.flags = flags
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.bind((address, 53))
        except OSError:
            self.socket.close()
            raise
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                question, asker = self.socket.recvfrom(4096)
            except OSError:
                return
            if not question:
                return
            self.questions += 1
            if self.flags is not None:
                reply = question[:2] + struct.pack("!H", self.flags) + question[4:]
                self.socket.sendto(reply, asker)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", (self.address, 53))
        self.thread.join()
        self.socket.close()


VALIDATES, STRIPPED, FAILS, NO_REPLY = 0x81A0, 0x8180, 0x8182, None
FORGED_QUESTION = 0x01A0  # AD, but no answer
DNSSEC = {"smtp_dns_support_level": "dnssec"}


class SetupPostfixDane(PostfixSite):
    """RFC 7672 needs DNSSEC of Postfix's resolver; RFC 8461 2: no STS answer may hide DANE."""

    def setUp(self):
        super().setUp()
        self.queue = self.folder / "queue"
        (self.queue / "etc").mkdir(parents=True)
        self.config = self.folder / "strictmx.toml"

    def name_server(self, address, flags):
        try:
            server = NameServer(address, flags)
        except PermissionError:
            self.skipTest("port 53 is closed to ordinary users")
        self.addCleanup(server.close)
        return server

    def resolv_conf(self, text):
        (self.queue / "etc/resolv.conf").write_text(text)

    def site(self, version="3.10.5", **parameters):
        return site(version, queue_directory=str(self.queue), **parameters)

    def configured(self, dane):
        """The options that name our configuration with this postfix.dane."""
        self.config.write_text("" if dane is None else f"[postfix]\ndane = {dane}\n")
        self.config.chmod(0o644)
        return ["--config", self.config]

    def test_level_and_setting(self):
        ready, bare = True, False
        # level, postfix.dane, has DNSSEC; possible, DNSSEC set by the script, words of the output
        rows = [
            ("may", "false", bare, True, False, "is not ready for them"),
            ("may", "false", ready, True, False, "It is an option"),
            ("may", None, ready, True, False, "It is an option"),
            ("may", "true", bare, True, True, "IT DEFERS ALL MAIL"),
            ("may", "true", ready, True, False, "DANE answers are on"),
            ("none", "false", ready, True, False, "It is an option"),
            ("none", "true", bare, True, True, "IT DEFERS ALL MAIL"),
            ("", "true", ready, True, False, "DANE answers are on"),
            ("dane", "false", bare, False, False, "this Postfix does no DANE now"),
            ("dane", "false", ready, False, False, "First set `dane = true` below `[postfix]`"),
            ("dane", None, ready, False, False, "First set `dane = true` below `[postfix]`"),
            ("dane", "true", bare, True, True, "IT DEFERS ALL MAIL"),
            ("dane", "true", ready, True, False, "DANE answers are on"),
        ]
        rows += [("dane-only", dane, dnssec, False, False, "both are weaker")
                 for dane in ("false", "true") for dnssec in (bare, ready)]
        rows += [("fingerprint", dane, dnssec, False, False, "pinned fingerprints")
                 for dane in ("false", "true") for dnssec in (bare, ready)]
        for level in ("encrypt", "verify", "secure"):
            rows += [(level, "false", dnssec, True, False, "postfix.dane stays false")
                     for dnssec in (bare, ready)]
            rows += [(level, "true", dnssec, False, False, "Set `dane = false` there")
                     for dnssec in (bare, ready)]
        self.name_server("127.84.61.1", VALIDATES)
        self.resolv_conf("nameserver 127.84.61.1\n")
        for level, dane, dnssec, possible, sets_dnssec, words in rows:
            with self.subTest(level=level, dane=dane, dnssec=dnssec):
                made_up = self.site(smtp_tls_security_level=level, **(DNSSEC if dnssec else {}))
                arguments = self.configured(dane)
                advice = self.advice(made_up, *arguments)
                self.assertEqual(advice["possible"], possible)
                names = [one["name"] for one in advice["settings"]]
                self.assertEqual("smtp_dns_support_level" in names, sets_dnssec)
                self.assertEqual(MAPS in names, possible)
                said = advice["dane"]
                self.assertEqual(said["on"], dane == "true")
                self.assertEqual(said["level"], level if level not in ("", "none") else "may")
                self.assertEqual(said["level_allows"], level in ("", "none", "may", "dane"))
                self.assertEqual(said["ready"], dnssec and said["level_allows"])
                self.assertEqual(said["missing"],
                                 [] if dnssec else ["smtp_dns_support_level = dnssec"])
                self.assertEqual(said["config_file"], str(self.config))
                self.assertEqual(said["config_lines"], ["[postfix]", "dane = true"])
                done = self.setup_postfix(made_up, *arguments)
                text = " ".join(done.stdout.replace("#", " ").split())
                self.assertIn(words, text)
                told = [arguments for _, arguments in self.run_script(done.stdout)]
                self.assertEqual(["-e", "smtp_dns_support_level = dnssec"] in told, sets_dnssec)
                self.assertEqual(told[-1:], [["reload"]] if possible else [])

    def test_obsolete_settings_are_levels(self):
        """smtp_enforce_tls stands for encrypt, where smtp_tls_security_level is not set."""
        for use, enforce, level in (("yes", "no", "may"), ("no", "yes", "encrypt"),
                                    ("no", "no", "may")):
            advice = self.advice(self.site(smtp_tls_security_level="", smtp_use_tls=use,
                                           smtp_enforce_tls=enforce), *self.configured("true"))
            self.assertEqual(advice["dane"]["level"], level)
            self.assertEqual(advice["possible"], level == "may")

    def test_map_that_must_not_be_there(self):
        for level, dane in (("dane", "false"), ("dane-only", "true"), ("encrypt", "true")):
            for present, is_set in ((OURS_TLSRPT, True), ("hash:/a", False), (OURS + "x", True),
                                    (f"hash:/a, proxy:{OURS}", True)):
                with self.subTest(level=level, present=present):
                    made_up = self.site(smtp_tls_security_level=level, smtp_tls_policy_maps=present)
                    blocked = self.advice(made_up, *self.configured(dane))["blocked"]
                    self.assertEqual("THE MAP IS SET" in blocked, is_set)
                    self.assertEqual("Do not add the map" in blocked, not is_set)

    def test_file_of_ours_is_named(self):
        said = self.advice(self.site(smtp_tls_security_level="dane"))
        self.assertEqual(said["dane"]["config_file"], "/etc/strictmx/strictmx.toml")
        self.assertIn("/etc/strictmx/strictmx.toml", said["blocked"])
        said = self.advice(self.site(smtp_tls_security_level="dane"), *self.configured("false"))
        self.assertIn(str(self.config), said["blocked"])

    def test_what_postfix_needs(self):
        lookup, errors, options = ("smtp_host_lookup", "ignore_mx_lookup_error",
                                   "smtp_dns_resolver_options")
        rows = [
            (DNSSEC, {}),
            ({"smtp_dns_support_level": ""}, {"smtp_dns_support_level": "dnssec"}),
            ({"smtp_dns_support_level": "enabled"}, {"smtp_dns_support_level": "dnssec"}),
            ({"smtp_dns_support_level": "disabled"}, {"smtp_dns_support_level": "dnssec"}),
            ({**DNSSEC, lookup: "dns"}, {}),
            ({**DNSSEC, lookup: "native, dns"}, {}),
            ({**DNSSEC, lookup: "native"}, {lookup: "dns"}),
            ({**DNSSEC, errors: "no"}, {}),
            ({**DNSSEC, errors: "yes"}, {errors: "no"}),
            ({**DNSSEC, options: ""}, {}),
            ({**DNSSEC, options: "res_defnames"}, {options: ""}),
            ({**DNSSEC, options: "res_dnsrch, res_other"}, {options: "res_other"}),
            ({**DNSSEC, options: "res_other"}, {}),
            ({lookup: "native", errors: "yes"},
             {"smtp_dns_support_level": "dnssec", lookup: "dns", errors: "no"}),
        ]
        self.name_server("127.84.61.1", VALIDATES)
        self.resolv_conf("nameserver 127.84.61.1\n")
        for parameters, want in rows:
            with self.subTest(parameters):
                made_up = self.site(smtp_tls_policy_maps=OURS_TLSRPT, **parameters)
                self.assertEqual(self.settings(made_up, *self.configured("true")), want)
                off = self.advice(made_up, *self.configured("false"))
                self.assertEqual(off["settings"], [])
                self.assertEqual({one["name"]: one["value"] for one in off["dane"]["settings"]},
                                 want)
                self.assertEqual(off["dane"]["ready"], not want)

    def test_resolver(self):
        good = self.name_server("127.84.61.1", VALIDATES)
        self.name_server("127.84.61.2", STRIPPED)
        self.name_server("127.84.61.3", FAILS)
        self.name_server("127.84.61.4", FORGED_QUESTION)
        silent = self.name_server("127.84.61.5", NO_REPLY)
        rows = [
            ("nameserver 127.84.61.1\n", "yes", ["127.84.61.1"]),
            ("# nameserver 192.0.2.1\n;nameserver 192.0.2.1\n nameserver\t127.84.61.1 \n", "yes",
             ["127.84.61.1"]),
            ("nameserver 127.84.61.2\n", "no", ["127.84.61.2"]),
            ("nameserver 127.84.61.1\nnameserver 127.84.61.2\n", "no",
             ["127.84.61.1", "127.84.61.2"]),
            ("nameserver 127.84.61.3\n", "no-answer", ["127.84.61.3"]),
            ("nameserver 127.84.61.4\n", "no-answer", ["127.84.61.4"]),
            ("nameserver 127.84.61.5\n", "no-answer", ["127.84.61.5"]),
            ("nameserver 127.84.61.6\n", "no-answer", ["127.84.61.6"]),
            ("nameserver 192.0.2.1\n", "not-local", ["192.0.2.1"]),
            ("nameserver 127.84.61.1\nnameserver 2001:db8::1\n", "not-local",
             ["127.84.61.1", "2001:db8::1"]),
            ("nameserver fe80::1%eth0\n", "not-local", ["fe80::1"]),
            # The C library takes three, and passes over what is no address.
            ("nameserver 127.84.61.1\n" * 3 + "nameserver 192.0.2.1\n", "yes", ["127.84.61.1"] * 3),
            ("nameserver x\nnameserver 127.84.61.1\n", "yes", ["127.84.61.1"]),
            ("nameserver 127.84.61.1.example\nnameserver 127.84.61.1\n", "yes", ["127.84.61.1"]),
        ]
        for text, validates, servers in rows:
            with self.subTest(text):
                self.resolv_conf(text)
                said = self.advice(self.site(**DNSSEC), *self.configured("true"))
                resolver = said["dane"]["resolver"]
                self.assertEqual(resolver["validates"], validates)
                self.assertEqual(resolver["name_servers"], servers)
                self.assertEqual(resolver["file"], str(self.queue / "etc/resolv.conf"))
                self.assertEqual(said["dane"]["ready"], validates == "yes")
                self.assertEqual(any("IT DEFERS ALL MAIL" in one for one in said["warnings"]),
                                 validates != "yes")
        self.assertGreater(good.questions, 0)
        self.assertGreater(silent.questions, 0)

    def test_name_servers_elsewhere_are_not_asked(self):
        server = self.name_server("127.84.61.1", VALIDATES)
        self.resolv_conf("nameserver 127.84.61.1\nnameserver 192.0.2.1\n")
        self.advice(self.site(**DNSSEC), *self.configured("true"))
        self.assertEqual(server.questions, 0)

    def test_resolv_conf_of_the_smtp_client(self):
        for chroot, want in (("y", str(self.queue / "etc/resolv.conf")), ("n", "/etc/resolv.conf")):
            made_up = site(chroot=chroot, queue_directory=str(self.queue))
            said = self.advice(made_up)["dane"]["resolver"]
            self.assertEqual(said["file"], want)
        # Without the file the C library asks this host.
        said = self.advice(self.site())["dane"]["resolver"]
        self.assertEqual(said["name_servers"], ["127.0.0.1"])

    def test_trust_ad(self):
        """Postfix 3.6 and later ask the C library for the AD bit by themselves."""
        self.name_server("127.84.61.1", VALIDATES)
        for version, options, is_warned in (("3.5.25", "", True), ("3.7.11", "", False),
                                            ("3.5.25", "options ndots:1 trust-ad\n", False),
                                            ("3.5.25", "options ndots:1\n", True)):
            with self.subTest(version=version, options=options):
                self.resolv_conf("nameserver 127.84.61.1\n" + options)
                said = self.advice(self.site(version, **DNSSEC), *self.configured("true"))
                self.assertEqual(any("trust-ad" in one for one in said["warnings"]), is_warned)
                off = self.advice(self.site(version, **DNSSEC), *self.configured("false"))
                self.assertFalse(any("trust-ad" in one for one in off["warnings"]))

    def test_hostile_resolv_conf(self):
        for text in (b"\0" * 1000, b"nameserver \x1b[2J\n", b"nameserver" + b" 1" * 100000,
                     b"\xff\xfe\n" * 100000):
            (self.queue / "etc/resolv.conf").write_bytes(text)
            done = self.setup_postfix(self.site())
            self.assertEqual(done.returncode, OK, done.stderr)
            self.assertNotRegex(done.stdout, r"[\x00-\x09\x0b-\x1f\x7f]")


class Pages(unittest.TestCase):
    def sample(self):
        done = run("--sample-config", program="strictmxd")
        self.assertEqual(done.returncode, OK)
        return done.stdout

    def test_packaged_configuration_is_the_sample(self):
        packaged = (SOURCE / "packaging/strictmx.toml").read_text()
        self.assertEqual(packaged, self.sample(),
                         "strictmxd --sample-config > packaging/strictmx.toml")

    def test_every_key_is_in_the_manual(self):
        page = (SOURCE / "packaging/man/strictmx.toml.5").read_text()
        page = re.sub(r"\\f[BRIP]", "", page).replace("\\-", "-")
        section, keys = "", 0
        for line in self.sample().splitlines():
            if match := re.fullmatch(r"\[(\w+)\]", line):
                section = match[1] + "."
                self.assertIn(f".SH [{match[1]}]\n", page)
            elif match := re.fullmatch(r"#(\w+) = (.*)", line):
                keys += 1
                with self.subTest(section + match[1]):
                    self.assertIn(f"\n{section}{match[1]} = {match[2]}\n", page)
        self.assertGreater(keys, 20)
        described = re.findall(r"^([a-z_]+(?:\.[a-z_]+)?) = ", page, re.MULTILINE)
        self.assertEqual(len(described), keys, "a key in the manual that is not in the table")

    def test_every_option_is_in_the_manual(self):
        for program, name in (("strictmx", "strictmx.1"), ("strictmxd", "strictmxd.8")):
            page = (SOURCE / "packaging/man" / name).read_text().replace("\\-", "-")
            page = re.sub(r"\\f[BRIP]", "", page)
            helps = [run("--help", program=program).stdout]
            if program == "strictmx":
                for command in ("query", "explain", "override set", "override list",
                                "override remove", "policies list", "policies show",
                                "policies refresh", "policies purge", "policies export",
                                "parse sts-record", "parse sts-policy", "parse tlsrpt-record",
                                "setup postfix", "dkim-key"):
                    self.assertIn(command, page)
                    helps.append(run(*command.split(), "--help").stdout)
            for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "".join(helps))):
                with self.subTest(page=name, option=option):
                    self.assertIn(option, page)

    def test_pages_format(self):
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed")
        for page in sorted((SOURCE / "packaging/man").iterdir()):
            with self.subTest(page.name):
                done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], check=True,
                                      capture_output=True)
                self.assertEqual(done.stderr, b"")
                self.assertGreater(len(done.stdout), 1000)


TYPES = {1: "A", 15: "MX", 16: "TXT"}
HOSTILE = b"v=STSv1; id=\x1b[31m\x00\xff"
# (name, type): data in presentation order. A name that is not here does not exist.
ZONE = {
    ("_mta-sts.good.cli.test", "TXT"): [b"v=STSv1; id=20260101"],
    ("_smtp._tls.good.cli.test", "TXT"): [b"v=TLSRPTv1; rua=mailto:r@good.cli.test"],
    ("good.cli.test", "MX"): [(10, "mx1.good.cli.test"), (20, "evil.cli.test")],
    ("_mta-sts.testing.cli.test", "TXT"): [b"v=STSv1; id=20260101"],
    ("testing.cli.test", "MX"): [(10, "mx.cli.test")],
    ("mx1.good.cli.test", "A"): ["127.0.0.9"],
    ("evil.cli.test", "A"): ["127.0.0.9"],
    ("plain.cli.test", "A"): ["127.0.0.9"],
    ("_mta-sts.hostile.cli.test", "TXT"): [HOSTILE],
    ("hostile.cli.test", "MX"): [(10, "mx.cli.test")],
    ("_mta-sts.down.cli.test", "TXT"): [b"v=STSv1; id=1"],
    ("mta-sts.down.cli.test", "A"): ["127.0.0.9"],
    ("down.cli.test", "MX"): [(10, "mx.cli.test")],
}
SILENT = "slow.cli.test"


def wire_name(name):
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def wire_data(kind, data):
    if kind == "A":
        return socket.inet_aton(data)
    if kind == "MX":
        return struct.pack(">H", data[0]) + wire_name(data[1])
    return bytes([len(data)]) + data


class DnsServer:
    """Answers from ZONE over UDP; nothing at all for names below SILENT."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                reply = self.reply(query)
                if reply is not None:
                    self.socket.sendto(reply, peer)
            except OSError:
                return

    def reply(self, query):
        at, labels = 12, []
        while query[at] != 0:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, question = ".".join(labels), query[12:at + 5]
        kind = TYPES.get(struct.unpack(">H", query[at + 1:at + 3])[0])
        if name.endswith(SILENT):
            return None
        answers = [b"\xc0\x0c" + question[-4:] + struct.pack(">IH", 300, len(data)) + data
                   for data in (wire_data(kind, one) for one in ZONE.get((name, kind), []))]
        exists = any(owner == name or owner.endswith("." + name) for owner, _ in ZONE)
        soa = wire_name("ns.cli.test") + wire_name("r.cli.test") + struct.pack(">5I", 1, 1, 1, 1, 60)
        authority = b"" if answers else (wire_name("cli.test") + struct.pack(
            ">HHIH", 6, 1, 60, len(soa)) + soa)
        flags = 0x8580 | (0 if exists else 3)
        return (query[:2] + struct.pack(">HHHHH", flags, 1, len(answers), 0 if answers else 1, 0) +
                question + b"".join(answers) + authority)

    def close(self):
        self.socket.close()


class WithDaemon(unittest.TestCase):
    """One strictmxd for all tests of this class; they purge nothing that another one needs."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="cli-"))
        cls.folder.chmod(0o755)
        cls.dns = DnsServer()
        cls.config = cls.folder / "strictmx.toml"
        control = f'{{ path = "{cls.folder}/control.sock", mode = "0666" }}'
        cls.config.write_text(f"""
user = "root"
[listen]
socketmap = ["unix:{cls.folder}/strictmx.sock"]
results = ["unix:{cls.folder}/tlsrpt.sock"]
control = {control}
admin = ""
[client]
server = "unix:{cls.folder}/strictmx.sock"
control = "unix:{cls.folder}/control.sock"
[answer]
wait = 2
skip_domains = ["skip.cli.test"]
[dns]
mode = "forward"
resolvers = ["127.0.0.1"]
port = {cls.dns.port}
dnssec = "off"
timeout = 4
[https]
timeout = 5
[store]
path = "{cls.folder}/store.db"
""")
        cls.config.chmod(0o644)
        cls.daemon = None
        cls.start()  # makes the store
        cls.stop()
        cls.fill_store()
        cls.start()

    @classmethod
    def tearDownClass(cls):
        cls.stop()
        cls.dns.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def start(cls):
        cls.log = open(cls.folder / "log", "wb")
        cls.daemon = subprocess.Popen([cli_program.BUILD / "strictmxd", "--config", cls.config],
                                      stderr=cls.log)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline and cls.daemon.poll() is None:
            # The sockets are there earlier; SIGTERM ends it well only from here on.
            if "strictmxd is ready" in (cls.folder / "log").read_text():
                return
            time.sleep(0.02)
        raise RuntimeError((cls.folder / "log").read_text())

    @classmethod
    def stop(cls):
        if cls.daemon is None:
            return
        cls.daemon.send_signal(signal.SIGTERM)
        code = cls.daemon.wait(TIMEOUT_SECONDS)
        cls.daemon = None
        cls.log.close()
        if code != 0:
            raise RuntimeError((cls.folder / "log").read_text())

    @classmethod
    def fill_store(cls):
        now = int(time.time())
        day = now // 86400

        def row(domain, mode, mx, expires):
            lines = ["version: STSv1", f"mode: {mode}", *(f"mx: {one}" for one in mx),
                     "max_age: 604800"]
            return (domain, "20260101", "\n".join(lines), now - 3600, expires, now + 80000, day, 2)

        rows = [row("good.cli.test", "enforce", ["mx1.good.cli.test", "*.mail.cli.test"],
                    now + 600000),
                row("testing.cli.test", "testing", ["other.cli.test"], now + 600000),
                row("expired.cli.test", "enforce", ["mx.cli.test"], now - 10)]
        rows += [row(f"d{i:04}.cli.test", "enforce", [f"mx{i}.cli.test"], now + 600000)
                 for i in range(1200)]
        store = sqlite3.connect(cls.folder / "store.db")
        with store:
            store.executemany("INSERT INTO policies VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        store.close()

    def ask(self, *arguments, **options):
        return run(*arguments, "--config", self.config, **options)

    def test_query(self):
        secure = "OK secure match=mx1.good.cli.test:.mail.cli.test servername=hostname"
        rows = [
            (["good.cli.test"], OK, secure),
            (["GOOD.Cli.Test"], OK, secure),
            (["[good.cli.test]:25"], OK, secure),
            (["good.cli.test", "--map", "QUERY"], OK, secure),
            (["testing.cli.test"], OK, "NOTFOUND"),
            (["plain.cli.test"], OK, "NOTFOUND"),
            (["absent.cli.test"], OK, "NOTFOUND"),
            (["down.cli.test"], OK, "NOTFOUND"),
            (["hostile.cli.test"], OK, "NOTFOUND"),
            (["a.skip.cli.test"], OK, "NOTFOUND"),
            (["192.0.2.1"], OK, "NOTFOUND"),
            ([".cli.test"], OK, "NOTFOUND"),
            (["\x1b[31m"], OK, "NOTFOUND"),
            (["good.cli.test", "--map", "sts"], DATA, "PERM "),
            (["k" * 20000], USAGE, ""),
        ]
        for arguments, code, want in rows:
            with self.subTest(arguments[0][:40]):
                done = self.ask("query", *arguments)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(done.stdout[:len(want)], want)
                if code == OK:
                    self.assertEqual(done.stdout, want + "\n")
        done = self.ask("query", "good.cli.test", "--map", "postfix-tlsrpt")
        self.assertIn("policy_type=sts policy_domain=good.cli.test", done.stdout)

    def test_query_temp(self):
        done = self.ask("query", "a." + SILENT)
        self.assertEqual(done.returncode, TEMP)
        self.assertRegex(done.stdout, r"^TEMP .*\n$")
        done = self.ask("query", "b." + SILENT, "--json")
        self.assertEqual((done.returncode, done.stdout), (TEMP, ""))
        self.assertIn("TEMP", done.stderr)

    def test_query_json(self):
        verdict = json.loads(self.ask("query", "good.cli.test", "--json").stdout)
        self.assertEqual((verdict["policy"], verdict["mode"], verdict["mx"]),
                         ("sts", "enforce", ["mx1.good.cli.test", "*.mail.cli.test"]))
        for domain in ("plain.cli.test", "192.0.2.1"):
            done = self.ask("query", domain, "--json")
            self.assertEqual(done.returncode, OK)
            self.assertEqual(json.loads(done.stdout)["policy"], "none")

    def test_explain(self):
        page = self.ask("explain", "good.cli.test").stdout
        for text in ('"v=STSv1; id=20260101"', "valid, id 20260101", "enforce", "604800 (7 days)",
                     "*.mail.cli.test", "mx1.good.cli.test  allowed", "evil.cli.test      REFUSED",
                     "reports go to mailto:r@good.cli.test", "RFC 8461 5",
                     "OK secure match=mx1.good.cli.test:.mail.cli.test servername=hostname",
                     "policy_type=sts", "from memory until"):
            with self.subTest(text):
                self.assertIn(text, page)
        self.assertNotIn("\x1b", page)
        plain = self.ask("explain", "plain.cli.test").stdout
        self.assertIn("no MTA-STS record is published", plain)
        self.assertIn("no MX record: the domain itself", plain)
        self.assertIn("NOTFOUND", plain)
        down = self.ask("explain", "down.cli.test").stdout
        self.assertIn("last attempt failed: ", down)
        self.assertIn("tried again at ", down)

    def test_explain_hostile(self):
        done = self.ask("explain", "hostile.cli.test")
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertNotRegex(done.stdout, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertIn("RFC 8461 §3.1", done.stdout)
        done = self.ask("explain", "hostile.cli.test", "--json")
        self.assertNotRegex(done.stdout, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertIn("error", json.loads(done.stdout)["record"])

    def test_explain_json_and_bad_names(self):
        reply = json.loads(self.ask("explain", "good.cli.test", "--json").stdout)
        self.assertEqual(reply["policy"]["mode"], "enforce")
        for domain in ("192.0.2.1", "a b", "", "\x1b"):
            with self.subTest(domain):
                self.assertEqual(self.ask("explain", domain).returncode, USAGE)

    def test_override(self):
        domain = "good.cli.test"
        done = self.ask("override", "set", domain, "--mode", "none", "--until", "2099-12-31",
                        "--note", "ticket 1")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (OK, "", ""))
        self.assertEqual(self.ask("query", domain).stdout, "NOTFOUND\n")
        table = self.ask("override", "list").stdout.splitlines()
        self.assertRegex(table[1], r"^good\.cli\.test +none +- +2100-01-01T00:00:00Z \(in .*\) +"
                                   r"command +ticket 1$")
        page = self.ask("explain", domain).stdout
        for text in ("operator's override, mode none", "an operator's override is in force",
                     "without it: MTA-STS mode enforce", "ends by itself at 2100-01-01"):
            with self.subTest(text):
                self.assertIn(text, page)
        rows = json.loads(self.ask("override", "list", "--json").stdout)["overrides"]
        self.assertEqual([(row["domain"], row["mode"], row["holds"]) for row in rows],
                         [(domain, "none", True)])
        self.stop()
        self.start()  # kept over a restart
        self.assertEqual(self.ask("query", domain).stdout, "NOTFOUND\n")
        self.assertEqual(self.ask("override", "set", domain, "--mx", "own.example").returncode, OK)
        self.assertIn("match=own.example ", self.ask("query", domain).stdout)
        self.assertEqual(self.ask("override", "remove", domain).returncode, OK)
        self.assertIn("match=mx1.good.cli.test", self.ask("query", domain).stdout)
        self.assertEqual(self.ask("override", "remove", domain).returncode, DATA)

    def test_override_refused(self):
        for arguments, word in (
                (("x.cli.test",), "mode:"), (("x.cli.test", "--mode", "maybe"), "mode:"),
                (("192.0.2.1", "--mode", "none"), "domain:"),
                (("x.cli.test", "--mx", "*"), "mx:"),
                (("x.cli.test", "--mode", "none", "--mx", "a.example"), "mx:"),
                (("x.cli.test", "--mode", "none", "--until", "2020-01-01"), "until:"),
                (("x.cli.test", "--mode", "none", "--until", "soon"), "until:"),
                (("x.cli.test", "--mode", "none", "--note", "a\nb"), "note:"),
                (("plain.cli.test", "--mode", "enforce"), "--mx")):
            with self.subTest(arguments):
                done = self.ask("override", "set", *arguments)
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertIn(word, done.stderr)
        self.assertEqual(json.loads(self.ask("override", "list", "--json").stdout)["overrides"], [])

    def test_list(self):
        rows = json.loads(self.ask("policies", "list", "--json").stdout)
        names = [row["domain"] for row in rows["policies"]]
        self.assertGreaterEqual(len(names), 1203)
        self.assertEqual(names, sorted(set(names)))
        self.assertNotIn("next", rows)
        page = json.loads(self.ask("policies", "list", "--json", "--limit", 3, "--after",
                                   "d0001.cli.test").stdout)
        self.assertEqual([row["domain"] for row in page["policies"]],
                         ["d0002.cli.test", "d0003.cli.test", "d0004.cli.test"])
        self.assertEqual(page["next"], "d0004.cli.test")
        done = self.ask("policies", "list", "--limit", 2, "--after", "d1199.cli.test")
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["DOMAIN", "MODE", "ID", "EXPIRES", "MX"])
        self.assertEqual(len(lines), 3)
        column = lines[0].index("EXPIRES")
        self.assertTrue(all(line[column - 1] == " " and line[column] != " " for line in lines[1:]))
        self.assertIn("--after", done.stderr)

    def test_show(self):
        done = self.ask("policies", "show", "good.cli.test")
        self.assertEqual(done.returncode, OK)
        self.assertIn("mx: *.mail.cli.test\n", done.stdout)
        policy = json.loads(self.ask("policies", "show", "good.cli.test", "--json").stdout)
        self.assertTrue(policy["live"])
        done = self.ask("policies", "show", "plain.cli.test")
        self.assertEqual((done.returncode, done.stdout), (DATA, ""))
        self.assertEqual(self.ask("policies", "show", "a b").returncode, USAGE)

    def test_refresh(self):
        done = self.ask("policies", "refresh", "plain.cli.test")
        self.assertEqual((done.returncode, done.stdout), (OK, "plain.cli.test: no policy\n"))
        done = self.ask("policies", "refresh", "down.cli.test")
        self.assertEqual(done.returncode, TEMP)
        self.assertIn("the refresh failed: ", done.stderr)

    def test_purge(self):
        self.assertEqual(self.ask("policies", "show", "d0000.cli.test").returncode, OK)
        self.assertEqual(self.ask("policies", "purge", "d0000.cli.test").returncode, OK)
        self.assertEqual(self.ask("policies", "show", "d0000.cli.test").returncode, DATA)
        self.assertEqual(self.ask("policies", "purge", "").returncode, USAGE)
        self.assertEqual(self.ask("policies", "show", "good.cli.test").returncode, OK)

    def test_export(self):
        done = self.ask("policies", "export")
        self.assertEqual(done.returncode, OK, done.stderr)
        lines = done.stdout.splitlines()
        rows = [line for line in lines if not line.startswith("#")]
        self.assertTrue(lines[0].startswith("#"))
        self.assertIn("postmap", done.stdout)
        self.assertIn("good.cli.test\tsecure match=mx1.good.cli.test:.mail.cli.test "
                      "servername=hostname", rows)
        self.assertGreaterEqual(len(rows), 1200)
        names = {row.split("\t")[0] for row in rows}
        self.assertEqual(len(names), len(rows))
        self.assertFalse(names & {"testing.cli.test", "expired.cli.test"})

    def send_results(self, *results):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            for result in results:
                sender.sendto(json.dumps(result).encode(), str(self.folder / "tlsrpt.sock"))

    def wait_for_results(self, domain, count):
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            done = self.ask("report", "results", "--domain", domain, "--json")
            self.assertEqual(done.returncode, OK, done.stderr)
            found = json.loads(done.stdout)["results"]
            sums = [policy["summary"] for one in found for policy in one["policies"]]
            if sum(sum(one.values()) for one in sums) >= count:
                return found
            time.sleep(0.05)
        self.fail(f"{count} results of {domain} are not stored")

    @staticmethod
    def result(domain, kind=2, failures=(), **more):
        policy = {"policy-type": kind, "policy-domain": domain, "t": len(failures),
                  "f": 1 if failures else 0,
                  "failure-details": [{"c": code, "n": "mx.cli.test"} for code in failures]}
        return {"dpv": "1", "d": domain, "policies": [policy], **more}

    def test_report_results(self):
        domain = "results.cli.test"
        noon_yesterday = (int(time.time()) // 86400 - 1) * 86400 + 43200
        self.send_results(self.result(domain), self.result("Results.CLI.Test."),
                          self.result(domain, failures=[204]),
                          self.result(domain, failures=[204, 201]),
                          self.result(domain, 9, strictmx={"time": noon_yesterday}),
                          {"d": domain, "policies": "broken"})
        found = self.wait_for_results(domain, 5)
        self.assertEqual([one["domain"] for one in found], [domain] * 2)
        self.assertGreater(found[0]["day"], found[1]["day"])
        policy = found[0]["policies"][0]
        self.assertEqual(policy["summary"], {"total-successful-session-count": 2,
                                             "total-failure-session-count": 2})
        counts = {one["result-type"]: one["failed-session-count"]
                  for one in policy["failure-details"]}
        self.assertEqual(counts, {"certificate-expired": 2, "starttls-not-supported": 1})
        done = self.ask("report", "results", "--domain", domain.upper())
        lines = done.stdout.splitlines()
        self.assertEqual(lines[0].split(), ["DAY", "DOMAIN", "POLICY", "OK", "FAILED", "FAILURES"])
        self.assertEqual(lines[1].split()[2:], ["sts", "2", "2", "certificate-expired", "2,",
                                                "starttls-not-supported", "1"])
        self.assertEqual(lines[2].split()[1:], [domain, "no-policy-found", "1", "0", "-"])
        for heading in ("DOMAIN", "POLICY", "OK", "FAILED", "FAILURES"):
            column = lines[0].index(heading)
            self.assertTrue(all(line[column - 1] == " " and line[column] != " "
                                for line in lines), done.stdout)
        day = lines[2].split()[0]
        done = self.ask("report", "results", "--day", day, "--domain", domain)
        self.assertEqual([line.split() for line in done.stdout.splitlines()[1:]],
                         [lines[2].split()])

    def test_report_results_pages(self):
        names = [f"p{i:03}.pages.cli.test" for i in range(450)]  # more than two pages
        self.send_results(*map(self.result, names))
        self.wait_for_results(names[-1], 1)
        found = json.loads(self.ask("report", "results", "--json").stdout)["results"]
        self.assertEqual([one["domain"] for one in found if ".pages." in one["domain"]], names)

    def test_report_results_bad_arguments(self):
        for arguments in (["--day", "yesterday"], ["--day", "2026-02-30"], ["--domain", "a b"],
                          ["--domain", "192.0.2.1"], ["extra"]):
            with self.subTest(arguments):
                done = self.ask("report", "results", *arguments)
                self.assertEqual((done.returncode, done.stdout), (USAGE, ""), done.stderr)
        self.assertEqual(len(self.ask("report", "results", "--day", "2001-01-01")
                             .stdout.splitlines()), 1)

    def record(self, *keys, path="strictmx.sock"):
        return self.questions(*(b"record " + key for key in keys), path=path)

    def questions(self, *texts, path="strictmx.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.connect(str(self.folder / path))
            answers = []
            for text in texts:
                link.sendall(b"%d:%s," % (len(text), text))
                reply = link.recv(65536).decode()
                answers.append(reply.partition(":")[2].rstrip(","))
            return answers

    def test_record_map(self):
        domain = "record.cli.test"
        good = json.dumps(self.result(domain, failures=[202])).encode()
        answers = self.record(good, b"hello", b'{"d": "' + domain.encode() + b'"}', b"", good)
        self.assertEqual(answers[0], "OK accepted")
        self.assertEqual(answers[4], "OK accepted")
        for answer in answers[1:4]:
            self.assertRegex(answer, r"^PERM not a result: .+")
        found = self.wait_for_results(domain, 2)
        self.assertEqual(found[0]["policies"][0]["summary"]["total-failure-session-count"], 2)

    def test_names_kept_for_later_are_not_served(self):
        page = (SOURCE / "packaging/man/strictmxd.8").read_text().replace("\\-", "-")
        kept = re.search(r"^The names (.+) are kept for later versions\.$", page, re.MULTILINE)[1]
        names = re.findall(r"[a-z-]+", kept.replace(" and ", ", "))
        self.assertGreater(len(names), 1)
        for name, answer in zip(names, self.questions(*(name.encode() + b" a.example"
                                                        for name in names))):
            with self.subTest(name):
                self.assertRegex(answer, "^PERM request is not ")

    def colours(self, **environment):
        master, slave = pty.openpty()
        env = {"PATH": os.environ["PATH"], "TERM": "xterm", **environment}
        with subprocess.Popen([cli_program.BUILD / "strictmx", "policies", "list", "--limit", "1",
                               "--config", self.config], stdout=slave, stderr=subprocess.DEVNULL,
                              env=env) as process:
            process.wait(TIMEOUT_SECONDS)
        os.close(slave)
        output = b""
        try:
            while chunk := os.read(master, 4096):
                output += chunk
        except OSError:
            pass  # how a terminal says that its other side is closed
        os.close(master)
        self.assertIn(b"DOMAIN", output)
        return b"\x1b" in output

    def test_colour(self):
        self.assertTrue(self.colours())
        self.assertTrue(self.colours(NO_COLOR=""))
        self.assertFalse(self.colours(NO_COLOR="1"))
        self.assertFalse(self.colours(TERM="dumb"))

    def test_forbidden(self):
        if os.geteuid() != 0:
            self.skipTest("only root can be another user")
        rows = [["explain", "good.cli.test"], ["policies", "list"], ["policies", "purge", "--all"]]
        for arguments in rows:
            with self.subTest(arguments):
                try:
                    done = self.ask(*arguments, user=NOBODY, group=NOBODY)
                except PermissionError:
                    self.skipTest("the build folder is closed to others")
                self.assertEqual(done.returncode, FORBIDDEN, done.stderr)
                self.assertIn("control.users", done.stderr)
        path = self.folder / "control.sock"
        mode = stat.S_IMODE(path.stat().st_mode)
        path.chmod(0o600)
        done = self.ask("policies", "list", user=NOBODY, group=NOBODY)
        path.chmod(mode)
        self.assertEqual(done.returncode, FORBIDDEN, done.stderr)


if __name__ == "__main__":
    cli_program.main(__doc__)
