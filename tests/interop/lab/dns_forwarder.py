"""A name server of the kind found in home routers: hands questions on and answers back, UDP alone.

Run as `python3 -m lab.dns_forwarder ADDRESS UPSTREAM MODE`. "honest" changes nothing. "stripping" takes the DO bit out
of each question, so that the answers bring no signatures (RFC 4035 §3.2.1), and the AD bit out of each answer.
"""

import contextlib
import socket
import sys
import threading

UPSTREAM_SECONDS = 5
LARGEST = 4096
HEADER = 12
DO = 0x80
AD = 0x20


def without_do(question):
    """The OPT record, if there is one, is the first after the question; DO is the top bit of its flags (RFC 6891)."""
    at = HEADER
    while question[at]:
        at += question[at] + 1
    opt = at + 1 + 4
    changed = bytearray(question)
    if len(changed) > opt + 7 and changed[opt : opt + 3] == b"\x00\x00\x29":
        changed[opt + 7] &= ~DO
    changed[3] &= ~AD  # AD in a question asks for it in the answer (RFC 6840 §5.7)
    return bytes(changed)


def without_ad(answer):
    changed = bytearray(answer)
    changed[3] &= ~AD
    return bytes(changed)


def hand_on(server, question, client, upstream, strips):
    with contextlib.suppress(OSError, IndexError), socket.socket(
        socket.AF_INET, socket.SOCK_DGRAM
    ) as onward:
        onward.settimeout(UPSTREAM_SECONDS)
        onward.connect((upstream, 53))
        onward.send(without_do(question) if strips else question)
        answer = onward.recv(LARGEST)
        server.sendto(without_ad(answer) if strips else answer, client)


def main(address, upstream, mode):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        question, client = server.recvfrom(LARGEST)
        threading.Thread(
            target=hand_on,
            args=(server, question, client, upstream, mode == "stripping"),
            daemon=True,
        ).start()


if __name__ == "__main__":
    main(*sys.argv[1:4])
