"""Policy hosts with faults: each kind of fault listens on an address of its own and has just that fault.

Run in the world namespace as `python3 -m lab.bad_policy_server CERTIFICATES PREFIX`; certificates are picked by SNI.
Apart from its fault every kind serves a proper policy, mode enforce for mx-good.hosts.test, so a client that
overlooks the fault is seen by its answer.
"""

import contextlib
import socket
import ssl
import sys
import threading
import time

KINDS = (
    "slow",
    "redirect",
    "not-found",
    "huge",
    "wrong-type",
    "expired",
    "foreign-ca",
    "self-signed",
    "other-name",
    "cn-only",
    "hang",
    "hang-after-request",
    "tls-1.1",
    "refused",
)
CERTIFICATE_FAULTS = ("expired", "foreign-ca", "self-signed", "other-name", "cn-only")

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mx-good.hosts.test\r\nmax_age: 604800\r\n"
# A redirect leads here: a proper policy host, so that following it gives an answer.
REDIRECT_TARGET = "https://mta-sts.redirect-target.test/.well-known/mta-sts.txt"
SLOW_SECONDS_A_BYTE = 1
HOLD_SECONDS = 300


def address_of(prefix, kind):
    """Where this kind listens; nothing listens for "refused"."""
    return f"{prefix}{11 + KINDS.index(kind)}"


def response(kind):
    status, content_type, body, more = "200 OK", "text/plain", POLICY, ""
    if kind == "redirect":
        status, more = "301 Moved Permanently", f"Location: {REDIRECT_TARGET}\r\n"
    elif kind == "not-found":
        status = "404 Not Found"
    elif kind == "huge":
        body = POLICY + b"".join(b"padding%d: %s\r\n" % (n, b"x" * 200) for n in range(5000))
    elif kind == "wrong-type":
        content_type = "text/html"
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    return head.encode("ascii"), body


def context_for(kind, chain_file):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if kind == "tls-1.1":
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(chain_file)
    return context


def serve(connection, kind, certificates):
    with contextlib.suppress(OSError), connection:
        if kind == "hang":
            time.sleep(HOLD_SECONDS)
            return
        connection.settimeout(HOLD_SECONDS)
        folder = kind if kind in CERTIFICATE_FAULTS else "good"
        first = context_for(kind, f"{certificates}/good/mta-sts.redirect-target.test.pem")

        def choose(secured, name, _):
            secured.context = context_for(kind, f"{certificates}/{folder}/{name}.pem")

        first.sni_callback = choose
        with first.wrap_socket(connection, server_side=True) as secured:
            request = b""
            while b"\r\n\r\n" not in request:
                received = secured.recv(4096)
                if not received:
                    return
                request += received
            if kind == "hang-after-request":
                time.sleep(HOLD_SECONDS)
                return
            head, body = response(kind)
            secured.sendall(head)
            if kind != "slow":
                secured.sendall(body)
                return
            for byte in body:
                secured.sendall(bytes([byte]))
                time.sleep(SLOW_SECONDS_A_BYTE)


def listen(kind, prefix, certificates):
    server = socket.create_server((address_of(prefix, kind), 443), backlog=256)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection, kind, certificates), daemon=True).start()


def main(certificates, prefix):
    threads = [
        threading.Thread(target=listen, args=(kind, prefix, certificates))
        for kind in KINDS
        if kind != "refused"
    ]
    for thread in threads:
        thread.start()
    print("ready", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
