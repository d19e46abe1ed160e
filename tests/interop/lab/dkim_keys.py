"""DKIM (RFC 6376): keys made by `strictmx dkim-key`, their records in the lab's DNS, and signatures judged by python3-dkim
and OpenDKIM.
"""

import contextlib
import email
import json
import os
import pwd
import re
import shutil
import subprocess
from unittest import mock

from .daemon import USER
from .dns_servers import look_up_txt
from .network import DAEMON_RESOLVER
from .testing import Skip, check_equal


def publish_key(lab, daemon, domain, selector, key_type):
    """Makes a key and its record in DNS (after publish()); what report.dkim_keys wants."""
    file = daemon.folder / f"{selector}.key"
    words = ["--domain", domain, "--selector", selector, "--type", key_type, "--out", str(file)]
    status, output, error = daemon.strictmx("dkim-key", *words, "--json")
    check_equal(status, 0, f"exit status of dkim-key ({error})")
    user = pwd.getpwnam(USER)
    os.chown(file, user.pw_uid, user.pw_gid)
    key = json.loads(output)
    line = key["zone_file_line"]
    lab.dns.set(f"{key['record_name'].rstrip('.')}.", "TXT", line.split("TXT", 1)[1].strip(" ()\n"))
    return f"{selector}:{file}"


def judge(text, now):
    """selector -> whether that signature holds at that time, by its key in DNS, which must have s=tlsrpt (RFC 8460 §3)."""
    try:
        import dkim
    except ImportError:
        raise Skip("python3-dkim is missing") from None
    message = text.encode("latin-1")

    def record(name, timeout=5):
        return look_up_txt(name.decode("ascii"), DAEMON_RESOLVER).encode("ascii")

    verdicts = {}
    for index, signature in enumerate(signatures(text)):
        verifier = dkim.DKIM(message, tlsrpt="strict")
        try:
            with mock.patch.object(dkim.time, "time", return_value=now):
                verdicts[signature["s"]] = verifier.verify(index, dnsfunc=record)
        except dkim.ValidationError:
            verdicts[signature["s"]] = False
    return verdicts


def signatures(text):
    """The tags of each DKIM-Signature."""
    fields = email.message_from_string(text).get_all("DKIM-Signature", [])
    tags = ["".join(field.split()).rstrip(";").split(";") for field in fields]
    return [dict(tag.split("=", 1) for tag in of_one) for of_one in tags]


def without_signature(text, selector):
    """The message without that one of its DKIM-Signatures: none covers another."""
    fields = re.findall(r"^DKIM-Signature:.*\r\n(?:[ \t].*\r\n)*", text, re.MULTILINE)
    (field,) = [field for field in fields if f"s={selector};" in field]
    return text.replace(field, "")


@contextlib.contextmanager
def key_for_all_services(lab, domain, selector):
    """While it lasts, the key's record is that of a key for mail of all kinds."""
    name = f"{selector}._domainkey.{domain}."
    (record,) = lab.zones.zone_of(name).records[name]["TXT"]
    lab.dns.set(name, "TXT", record.replace("s=tlsrpt", "s=*"))
    lab.dns.publish()
    try:
        yield
    finally:
        lab.dns.set(name, "TXT", record)
        lab.dns.publish()


def opendkim_error(text):
    """What OpenDKIM has against the message's signatures; "" where they are good."""
    program = shutil.which("opendkim-testmsg", path="/usr/sbin:/usr/bin")
    if program is None:
        raise Skip("opendkim-testmsg is missing (package: opendkim-tools)")
    done = subprocess.run(
        [program], input=text.encode("latin-1"), capture_output=True, timeout=60, check=False
    )
    return done.stderr.decode().strip().removeprefix("opendkim-testmsg: dkim_eom(): ")
