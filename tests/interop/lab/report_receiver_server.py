"""Web servers that reports are POSTed to, good and bad (RFC 8460 §5.4): each kind has an address and a certificate of its own.

Run in the world namespace as `python3 -m lab.report_receiver_server CERTIFICATES PREFIX LOG`. What reaches one is a line
of JSON in LOG: {"event": "connect"|"post", "kind", "path", "header": [[name, value], ...], "body": base64}.
"""

import base64
import http.server
import ssl
import sys
import threading
import time

from .json_log import JsonLog

STATUS = {
    "ok": 200,
    "created": 201,
    "accepted": 202,
    "no-content": 204,
    "redirect": 301,
    "not-found": 404,
    "gone": 410,
    "error": 500,
}
CERTIFICATE_FAULTS = ("expired", "foreign-ca", "self-signed", "other-name")
# "fails-first" answers the first request for each path with 500. "plain" has no TLS: it stands behind nginx.
KINDS = (
    *STATUS,
    *CERTIFICATE_FAULTS,
    "redirect-target",
    "fails-first",
    "hang",
    "nginx",
    "plain",
    "refused",
)
PLAIN_PORT = 8080
HOLD_SECONDS = 300


def host_of(kind):
    return f"{kind}.receivers.test"


def address_of(prefix, kind):
    """Where this kind listens; nothing of ours does for "refused" and "nginx"."""
    return f"{prefix}{11 + KINDS.index(kind)}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.server.kind
        self.server.log.write(
            event="post",
            kind=kind,
            path=self.path,
            header=self.headers.items(),
            body=base64.b64encode(body).decode("ascii"),
        )
        if kind == "hang":
            time.sleep(HOLD_SECONDS)
        status = STATUS.get(kind, 200)
        if kind == "fails-first" and self.path not in self.server.seen_paths:
            self.server.seen_paths.add(self.path)
            status = 500
        self.send_response(status)
        if kind == "redirect":
            self.send_header("Location", f"https://{host_of('redirect-target')}{self.path}")
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Receiver(http.server.ThreadingHTTPServer):
    def __init__(self, kind, prefix, certificates, log):
        super().__init__(
            (address_of(prefix, kind), PLAIN_PORT if kind == "plain" else 443), Handler
        )
        self.kind, self.log, self.seen_paths = kind, log, set()
        if kind != "plain":
            fault = kind if kind in CERTIFICATE_FAULTS else "good"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(f"{certificates}/{fault}/{host_of(kind)}.pem")
            # The handshake is the first read of the connection's own thread.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def get_request(self):
        accepted = super().get_request()
        self.log.write(event="connect", kind=self.kind)
        return accepted

    def handle_error(self, *_):
        """A client that breaks off is no trouble of ours."""


def main(certificates, prefix, log_path):
    log = JsonLog(log_path)
    for kind in KINDS:
        if kind not in ("nginx", "refused"):
            receiver = Receiver(kind, prefix, certificates, log)
            threading.Thread(target=receiver.serve_forever).start()
    print("ready", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
