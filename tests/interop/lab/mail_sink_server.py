"""MX hosts that take mail, good and bad: each kind listens on ports 25 and 2525 of an address of its own.

Run in the world namespace as `python3 -m lab.mail_sink_server CERTIFICATES PREFIX LOG`. What reaches a host is one
JSON line in LOG: {"event": "connect"|"starttls"|"rcpt"|"message"|"put-off", "kind", "session", "tls", "sni", "version",
"rcpt", "message_id", "text"}. "rcpt" counts too: a client that must not use a host must not name recipients to it.
"put-off" is a message that was not taken: "answers-451" takes none.
"""

import contextlib
import itertools
import re
import socket
import ssl
import sys
import threading

from .json_log import JsonLog

# The certificate's fault carries the name of the kind; the rest have good certificates of their own.
CERTIFICATE_FAULTS = ("expired", "foreign-ca", "self-signed", "other-name")
KINDS = (
    ("good", "good-2", "stripped", "refused-454")
    + CERTIFICATE_FAULTS
    + ("forged", "forged-valid", "deep.below", "broken-tls")
    + ("dane", "pkix")
    + ("answers-451",)
)
PORTS = (25, 2525)
# A forged MX is outside the policy; "forged" also has a certificate of its own making. "dane" and "pkix" stand for many
# host names: the certificate of "dane" is worth something to DANE alone, that of "pkix" to everybody.
CERTIFICATE_KIND = {
    **{kind: kind for kind in CERTIFICATE_FAULTS},
    "forged": "self-signed",
    "dane": "with-ca",
}
MORE_NAMES = {kind: ("*.mx.test", "*.unsigned.test", "*.expired.test") for kind in ("dane", "pkix")}

SESSION_SECONDS = 60


def host_of(kind):
    return f"mx-{kind}.hosts.test"


def address_of(prefix, kind):
    return f"{prefix}{11 + KINDS.index(kind)}"


class Session:
    def __init__(self, connection, number, kind, context, log):
        self._connection, self._kind, self._context = connection, kind, context
        self._about = {"kind": kind, "session": number, "tls": False, "sni": None, "version": None}
        self._log = log
        self._recipients = []
        self._file = connection.makefile("rwb")

    def run(self):
        self._note("connect")
        self._say(f"220 {host_of(self._kind)} ESMTP")
        while line := self._file.readline():  # STARTTLS changes the file
            verb = line[:8].upper().split(b" ")[0].strip()
            if verb == b"QUIT":
                return self._say("221 bye")
            if verb == b"STARTTLS":
                if not self._start_tls():
                    continue
            elif verb == b"DATA":
                self._take_message()
            else:
                self._answer(verb, line.decode("ascii", "replace").strip())

    def _answer(self, verb, line):
        if verb == b"EHLO":
            offers_tls = self._kind != "stripped" and not self._about["tls"]
            return self._say(
                f"250-{host_of(self._kind)}\r\n250-8BITMIME"
                + ("\r\n250-STARTTLS" if offers_tls else "")
                + "\r\n250 SIZE 10000000"
            )
        if verb == b"RCPT":
            recipient = re.search(r"<([^>]*)>", line).group(1)
            self._recipients.append(recipient)
            self._note("rcpt", rcpt=recipient)
        self._say(
            "250 ok" if verb in (b"HELO", b"MAIL", b"RCPT", b"RSET", b"NOOP") else "502 unknown"
        )

    def _start_tls(self):
        if self._kind == "refused-454":
            self._say("454 4.7.0 TLS not available")
            return False
        self._say("220 go ahead")
        if self._kind == "broken-tls":
            self._say("this is no TLS handshake")
            return False
        secured = self._context.wrap_socket(self._connection, server_side=True)
        self._about.update(
            tls=True, sni=getattr(secured, "seen_sni", None), version=secured.version()
        )
        self._connection, self._file = secured, secured.makefile("rwb")
        self._note("starttls")
        return True

    def _take_message(self):
        self._say("354 go on")
        text = b""
        for line in iter(self._file.readline, b".\r\n"):
            if not line:
                return
            text += line.removeprefix(b".")  # RFC 5321 §4.5.2
        event = "put-off" if self._kind == "answers-451" else "message"
        message_id = re.search(rb"(?im)^message-id:\s*<([^>]*)>", text)
        for recipient in self._recipients:
            self._note(
                event,
                rcpt=recipient,
                message_id=message_id.group(1).decode() if message_id else None,
                text=text.decode("latin-1"),
            )
        self._recipients = []
        self._say("250 taken" if event == "message" else "451 4.3.0 not now")

    def _note(self, event, **more):
        self._log.write(event=event, **self._about, **more)

    def _say(self, line):
        self._file.write(line.encode("ascii") + b"\r\n")
        self._file.flush()


def tls_context(chain_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain_file)

    def remember(secured, name, _):
        secured.seen_sni = name

    context.sni_callback = remember
    return context


def serve(*arguments):
    connection = arguments[0]
    connection.settimeout(SESSION_SECONDS)
    with contextlib.suppress(OSError), connection:
        Session(*arguments).run()


def listen(kind, port, prefix, certificates, log, numbers):
    context = tls_context(
        f"{certificates}/{CERTIFICATE_KIND.get(kind, 'good')}/{host_of(kind)}.pem"
    )
    server = socket.create_server((address_of(prefix, kind), port), backlog=256)
    while True:
        connection, _ = server.accept()
        threading.Thread(
            target=serve, args=(connection, next(numbers), kind, context, log), daemon=True
        ).start()


def main(certificates, prefix, log_path):
    log, numbers = JsonLog(log_path), itertools.count()
    for kind, port in itertools.product(KINDS, PORTS):
        about = (kind, port, prefix, certificates, log, numbers)
        threading.Thread(target=listen, args=about).start()
    print("ready", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
