#!/usr/bin/env python3
"""strictmx dkim-key as an operator meets it: the key file, the record for DNS, bad input.

Use: cli_dkim_key_test.py BUILD_DIR [TEST...]   BUILD_DIR holds strictmx

The records are judged by openssl(1), which is another reader of the keys than ours.
"""

import base64
import json
import os
import re
import shlex
import stat
import subprocess

import cli_program
from cli_program import DATA, NOBODY, NOINPUT, OK, OUTPUT, USAGE, Folder, run

NAME = "tlsrpt2026._domainkey.example.org"
ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")  # SubjectPublicKeyInfo before the key


def public_key(path):
    """p= of a key file by RFC 6376 §3.6.1 and RFC 8463 §4, as openssl sees the key."""
    done = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                          capture_output=True, check=True)
    return base64.b64encode(done.stdout.removeprefix(ED25519_PREFIX)).decode()


class DkimKey(Folder):
    def setUp(self):
        super().setUp()
        self.key = self.folder / "dkim.pem"

    def dkim_key(self, *arguments, domain="example.org", selector="tlsrpt2026", **options):
        return run("dkim-key", "--domain", domain, "--selector", selector, *arguments, **options)

    def zone_record(self, page):
        """Name and joined text of the one line of a zone file that is no comment."""
        lines = [line for line in page.splitlines() if not line.startswith(";")]
        self.assertEqual(len(lines), 1, page)
        match = re.fullmatch(r'(\S+)\. IN TXT((?: "[^"\\]{1,255}")+)', lines[0])
        self.assertTrue(match, lines[0])
        return match[1], "".join(shlex.split(match[2]))

    def test_types(self):
        for kind, size in (("rsa", 2048), ("ed25519", 253)):
            with self.subTest(kind):
                path = self.folder / (kind + ".pem")
                done = self.dkim_key("--out", path, "--type", kind)
                self.assertEqual((done.returncode, done.stderr), (OK, ""))
                name, text = self.zone_record(done.stdout)
                self.assertEqual(name, NAME)
                self.assertEqual(text, f"v=DKIM1; k={kind}; s=tlsrpt; p={public_key(path)}")
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                shown = subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-text"],
                                       capture_output=True, check=True)
                self.assertIn(b"%d bit" % size if kind == "rsa" else b"ED25519", shown.stdout)

    def test_rsa_without_type_and_the_settings(self):
        done = self.dkim_key("--out", self.key)
        self.assertIn("k=rsa", self.zone_record(done.stdout)[1])
        self.assertIn(f'dkim_keys = ["tlsrpt2026:{self.key}"]\n', done.stdout)
        self.assertIn(f"chgrp _strictmx {shlex.quote(str(self.key))}", done.stdout.replace("'", ""))
        self.assertIn("chmod 640", done.stdout)

    def test_no_secret_is_printed(self):
        done = self.dkim_key("--out", self.key)
        secret = "".join(self.key.read_text().splitlines()[1:-1])
        for part in (secret[100:164], secret[-64:]):
            self.assertNotIn(part, done.stdout)

    def test_json(self):
        done = self.dkim_key("--out", self.key, "--json", domain="BÜCHER.example")
        said = json.loads(done.stdout)
        line = said.pop("zone_file_line")
        name = "tlsrpt2026._domainkey.xn--bcher-kva.example"
        self.assertEqual(said, {
            "file": str(self.key), "domain": "xn--bcher-kva.example", "selector": "tlsrpt2026",
            "type": "rsa", "record_name": name,
            "record_text": f"v=DKIM1; k=rsa; s=tlsrpt; p={public_key(self.key)}",
            "settings": {"report.dkim_keys": [f"tlsrpt2026:{self.key}"]}})
        self.assertEqual(self.zone_record(line), (name, said["record_text"]))

    def test_show_prints_the_same_again(self):
        made = self.dkim_key("--out", self.key)
        before = self.key.read_bytes()
        self.assertEqual(self.dkim_key("--show", self.key).stdout, made.stdout)
        self.assertEqual(self.key.read_bytes(), before)
        # A key of openssl's, in the form that it wrote before PKCS#8.
        other = self.folder / "other.pem"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", other, "2048"],
                       capture_output=True, check=True)
        shown = self.dkim_key("--show", other)
        self.assertTrue(self.zone_record(shown.stdout)[1].endswith("p=" + public_key(other)))

    def test_show_a_key_of_the_daemon_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give a file away")
        made = self.dkim_key("--out", self.key)
        os.chown(self.key, NOBODY, NOBODY)
        self.assertEqual(self.dkim_key("--show", self.key).stdout, made.stdout)
        os.chown(self.key, 0, NOBODY)
        self.key.chmod(0o640)
        self.assertEqual(self.dkim_key("--show", self.key).stdout, made.stdout)

    def test_relative_path_becomes_whole(self):
        done = self.dkim_key("--out", "./sub/../dkim.pem", cwd=self.folder)
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertIn(f'tlsrpt2026:{self.key}"', done.stdout)
        self.assertTrue(self.key.exists())

    def test_nothing_is_replaced(self):
        self.key.write_text("mine")
        link = self.folder / "link"
        link.symlink_to(self.folder / "nowhere")
        for path in (self.key, link, self.folder):
            with self.subTest(path.name):
                done = self.dkim_key("--out", path)
                self.assertEqual((done.returncode, done.stdout), (OUTPUT, ""))
                self.assertIn("never replaced", done.stderr)
        self.assertEqual(self.key.read_text(), "mine")
        self.assertFalse((self.folder / "nowhere").exists())

    def test_file_that_can_not_be_made(self):
        done = self.dkim_key("--out", self.folder / "missing" / "dkim.pem")
        self.assertEqual((done.returncode, done.stdout), (OUTPUT, ""))
        self.assertIn("No such file", done.stderr)
        self.assertNotIn("never replaced", done.stderr)

    def test_usage_errors_make_no_file(self):
        long_selector = ".".join(["a" * 60] * 4)
        for name, arguments in (
                ("no file", []),
                ("both", ["--out", self.key, "--show", self.key]),
                ("type of a key that is there", ["--show", self.key, "--type", "rsa"]),
                ("unknown type", ["--out", self.key, "--type", "dsa"]),
                ("control characters", ["--out", f"{self.key}\n; x"]),
                ("quote", ["--out", f'{self.key}"']),
                ("backslash", ["--out", f"{self.key}\\"]),
                ("empty path", ["--out", ""])):
            with self.subTest(name):
                self.refused(self.dkim_key(*arguments))
        for selector in ("", "a b", "a;b", "-a", "a-", "a..b", ".", "a_b", "ä", "a\nb", "a\"b",
                         long_selector):
            with self.subTest(selector=selector):
                self.refused(self.dkim_key("--out", self.key, selector=selector))
        for domain in ("", "localhost", "a b.example", "127.0.0.1", "x" * 64 + ".example",
                       "a\x1b[31m.example", "a_b.example"):
            with self.subTest(domain=domain):
                self.refused(self.dkim_key("--out", self.key, domain=domain))
        for missing in ("--domain", "--selector"):
            rest = [name for name in ("--domain", "--selector") if name != missing]
            self.refused(run("dkim-key", *rest, "a.example", "--out", self.key))

    def refused(self, done):
        self.assertEqual((done.returncode, done.stdout), (USAGE, ""), done.stderr)
        self.assertTrue(done.stderr.startswith("strictmx: "), done.stderr)
        self.assertNotRegex(done.stderr, r"[\x00-\x09\x0b-\x1f\x7f]")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_show_what_is_no_key(self):
        for name, content, want in (
                ("empty", b"", "no private key"),
                ("text", b"hello\n", "no private key"),
                ("binary", bytes(range(256)) * 16, "no private key"),
                ("large", b"x" * 40000, "over 32768 bytes"),
                ("short RSA", self.openssl("genrsa", "1024"), "1024 bits"),
                ("EC", self.openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout"),
                 "neither an RSA nor an Ed25519"),
                ("passphrase", self.openssl("genrsa", "-aes128", "-passout", "pass:x", "2048"),
                 "without passphrase")):
            with self.subTest(name):
                self.key.write_bytes(content)
                done = self.dkim_key("--show", self.key)
                self.assertEqual((done.returncode, done.stdout), (DATA, ""), done.stderr)
                self.assertIn(want, done.stderr)
        for path in (self.folder / "missing", self.folder):
            with self.subTest(path):
                self.assertEqual(self.dkim_key("--show", path).returncode, NOINPUT)

    def openssl(self, *arguments):
        return subprocess.run(["openssl", *arguments], capture_output=True, check=True).stdout

    def test_no_configuration_is_read(self):
        done = self.dkim_key("--out", self.key, "--config", self.folder / "missing")
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_output_that_can_not_be_written(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [cli_program.BUILD / "strictmx", "dkim-key", "--domain", "a.example", "--selector",
                 "s", "--out", self.key], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, OUTPUT)
        self.assertEqual(self.dkim_key("--show", self.key).returncode, OK)


if __name__ == "__main__":
    cli_program.main(__doc__)
