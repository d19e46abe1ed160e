#!/usr/bin/python3
"""common/dkim against an implementation that is not ours: dkimpy.

Use: dkim_peer_test.py BUILD_DIR [TEST...]   BUILD_DIR holds dkim_tool (tests/unit/dkim_tool.cc)

- Ours signs generated messages with RSA and Ed25519: dkimpy verifies both.
- dkimpy signs in all canonical forms: ours verifies.
- Messages altered at random after signing: both say the same, good or bad.

The messages come from a fixed seed. No DNS is asked. Without dkimpy (Debian package python3-dkim)
the exit status is 77, which CTest reports as a skip.
"""

import base64
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import dkim
    import nacl  # noqa: F401  Ed25519 in dkimpy
except ImportError as error:
    print(f"skipped: {error} (Debian packages python3-dkim, python3-nacl)")
    sys.exit(77)

BUILD = None  # set from the command line
SEED = 8460
MESSAGES = 300
PEER_SIGNED = 40  # of each form; an RSA signature takes dkimpy 30 ms
ALTERED = 400
DOMAIN = b"sender.example"
FORMS = [(a, b) for a in (b"simple", b"relaxed") for b in (b"simple", b"relaxed")]

WORDS = ["report", "for", "example.com", "TLS", "x" * 70, "=?utf-8?q?=C3=A9?=", "a;b=c",
         "<a@b.example>", "(comment)", '"quoted"', "v=1;", "1"]


def tool(*arguments):
    done = subprocess.run([str(BUILD / "dkim_tool"), *map(str, arguments)], capture_output=True,
                          timeout=300, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode(errors="replace"))
    return done.stdout.decode()


def header_value(dice):
    """Words with odd white space and folds, of LF."""
    text = dice.choice(WORDS)
    for _ in range(dice.randrange(12)):
        gap = dice.choice([" ", "  ", "\t", " \t ", "\n ", "\n\t", " \n  ", "\t\n "])
        text += gap + dice.choice(WORDS)
    return text + dice.choice(["", "", " ", "\t", "  "])


def header(dice):
    """Header fields of LF; From once, the others none, once or more."""
    fields = [("From", "TLS reports <tlsrpt@sender.example>")]
    for name in ("To", "Subject", "Date", "Message-ID", "TLS-Report-Domain", "TLS-Report-Submitter",
                 "MIME-Version", "Content-Type", "X-Other", "subject"):
        for _ in range(dice.choice([0, 1, 1, 1, 2])):
            fields.append((name, header_value(dice)))
    if dice.random() < 0.1:
        fields.append(("X-Long", "\n ".join(["y" * 900] * 5)))
    if dice.random() < 0.1:
        fields.append(("X-Empty", ""))
    dice.shuffle(fields)
    return "".join(f"{name}: {value}\n" for name, value in fields).encode()


def body(dice):
    """Lines of LF. White space before an end without line end is left out: dkimpy, other than RFC
    6376 §3.4.4, lets it count there."""
    kind = dice.randrange(10)
    if kind == 0:
        return b""
    if kind == 1:
        return b"\n" * dice.randrange(1, 6)
    if kind == 2:
        return b" \t \n" * dice.randrange(1, 4)
    lines = []
    for _ in range(dice.randrange(1, 30)):
        lines.append(dice.choice([
            b"", b"", b"plain line", b".", b"..", b". dot", b" leading", b"trailing \t ",
            b"a  b\t\tc", b"\xc3\xa9\xff\x80 8-bit", b"From here", b"--boundary", b"z" * 998, b"\t",
            b"=\x0c\x01", base64.b64encode(dice.randbytes(54))]))
    text = b"\n".join(lines)
    if dice.random() < 0.3:
        return text.rstrip(b" \t")
    return text + b"\n" * dice.choice([1, 1, 1, 2, 5])


class Peer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="dkim-peer-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        tool("keys", cls.folder)
        (cls.folder / "dns").mkdir()
        cls.records = {}
        for kind in ("rsa", "ed25519"):
            record = (cls.folder / f"{kind}.txt").read_bytes()
            name = f"{kind}._domainkey.{DOMAIN.decode()}"
            (cls.folder / "dns" / name).write_bytes(record)
            cls.records[name.encode() + b"."] = record
        cls.rsa_pem = (cls.folder / "rsa.pem").read_bytes()
        der = base64.b64decode(b"".join(
            line for line in (cls.folder / "ed25519.pem").read_bytes().splitlines()
            if not line.startswith(b"-")))
        cls.ed25519_seed = base64.b64encode(der[-32:])

    def setUp(self):
        self.dice = random.Random(SEED)
        for path in self.folder.glob("*.*"):
            if path.suffix in (".in", ".signed", ".refused", ".msg"):
                path.unlink()

    def lookup(self, name, timeout=5):
        return self.records.get(name)

    def peer_verifies(self, message, index=0):
        try:
            return dkim.DKIM(message, tlsrpt="strict").verify(idx=index, dnsfunc=self.lookup)
        except dkim.DKIMException:
            return False

    def peer_signs(self, message, kind, forms):
        key = self.rsa_pem if kind == "rsa" else self.ed25519_seed
        signer = dkim.DKIM(message, tlsrpt=True)
        field = signer.sign(kind.encode(), DOMAIN, key, canonicalize=forms,
                            signature_algorithm=kind.encode() + b"-sha256",
                            include_headers=[b"from", b"to", b"subject", b"from", b"x-other"])
        return field + message

    def ours_verifies(self, messages):
        """messages: {name: bytes}; returns {name: [a word for each signature]}."""
        for name, message in messages.items():
            (self.folder / f"{name}.msg").write_bytes(message)
        lines = tool("verify", self.folder).splitlines()
        found = {words[0]: words[1:] for words in map(str.split, lines)}
        self.assertEqual(set(found), set(messages))
        return found

    def ours_signs(self, count):
        for number in range(count):
            text = header(self.dice) + b"\n" + body(self.dice)
            (self.folder / f"{number:04}.in").write_bytes(text)
        tool("sign", self.folder)
        refused = [path.read_text() for path in self.folder.glob("*.refused")]
        self.assertEqual(refused, [])
        signed = {path.stem: path.read_bytes() for path in sorted(self.folder.glob("*.signed"))}
        self.assertEqual(len(signed), count)
        return signed

    def test_ours_signs_peer_verifies(self):
        for name, message in self.ours_signs(MESSAGES).items():
            for index, kind in enumerate(("rsa", "ed25519")):
                with self.subTest(message=name, kind=kind):
                    field = message.split(b"DKIM-Signature:")[index + 1]
                    self.assertIn(f"a={kind}-sha256".encode(), field)
                    self.assertTrue(self.peer_verifies(message, index))

    def test_our_fields_are_folded_and_lines_end_in_crlf(self):
        for name, message in self.ours_signs(MESSAGES).items():
            with self.subTest(message=name):
                self.assertIsNone(re.search(rb"(?<!\r)\n|\r(?!\n)", message))
                pattern = rb"^DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*"
                fields = re.findall(pattern, message, re.MULTILINE)
                self.assertEqual(len(fields), 2)
                for field in fields:
                    self.assertLessEqual(max(map(len, field.split(b"\r\n"))), 78)
                    self.assertNotRegex(field, rb"[;\s][li]=")

    def test_ours_verifies_what_ours_signed(self):
        for name, words in self.ours_verifies(self.ours_signs(MESSAGES)).items():
            with self.subTest(message=name):
                self.assertEqual(words, ["verified", "verified"])

    def test_peer_signs_ours_verifies(self):
        messages = {}
        for kind in ("rsa", "ed25519"):
            for forms in FORMS:
                for number in range(PEER_SIGNED):
                    message = header(self.dice) + b"\n" + body(self.dice)
                    if self.dice.random() < 0.5:
                        message = message.replace(b"\n", b"\r\n")
                    label = f"{kind}-{forms[0].decode()}-{forms[1].decode()}-{number}"
                    messages[label] = self.peer_signs(message, kind, forms)
        for name, words in self.ours_verifies(messages).items():
            with self.subTest(message=name):
                self.assertEqual(words, ["verified"])

    def test_altered_messages_are_judged_alike(self):
        messages, want = {}, {}
        for number in range(ALTERED):
            forms = self.dice.choice(FORMS)
            text = header(self.dice) + b"\n" + body(self.dice) + b"end\n"
            signed = self.peer_signs(text.replace(b"\n", b"\r\n"), "ed25519", forms)
            field_bytes = len(signed) - len(text.replace(b"\n", b"\r\n"))
            place = self.dice.randrange(field_bytes + 1, len(signed) - 5)
            new = self.dice.choice([b" ", b"  ", b"\t", b"\r\n ", b"\r\n", b"a", b"A", b":", b""])
            altered = signed[:place] + new + signed[place + self.dice.randrange(2):]
            if self.dice.random() < 0.2:
                altered += b"\r\n" * self.dice.randrange(1, 3)
            # A CR or LF that the cut left alone is read in different ways: no dispute here.
            altered = re.sub(rb"\r*\n|\r+", b"\r\n", altered)
            # Nor are lines without a name, which dkimpy takes for fields, nor white space before
            # the colon (RFC 5322 §4.5), which it refuses.
            if re.search(rb"^(:|[^\s:]+[ \t]+:)", altered.split(b"\r\n\r\n")[0], re.MULTILINE):
                continue
            name = f"{number:04}"
            messages[name], want[name] = altered, self.peer_verifies(altered)
        good = sum(want.values())
        self.assertGreater(good, ALTERED // 10, "too few alterations that do not count")
        self.assertGreater(len(want) - good, ALTERED // 10, "too few alterations that do")
        for name, words in self.ours_verifies(messages).items():
            with self.subTest(message=name, text=messages[name]):
                self.assertEqual(words == ["verified"], want[name], words)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main()
