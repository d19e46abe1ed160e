"""A plain socketmap client (netstrings), and the loose ends that hostile clients use."""

import contextlib
import socket

SERVER = ("127.0.0.1", 8461)
# Longer than strictmxd ever lets a question wait.
ANSWER_SECONDS = 40


def netstring(text):
    data = text.encode("utf-8")
    return b"%d:%s," % (len(data), data)


class Connection:
    def __init__(self, server=SERVER, timeout=ANSWER_SECONDS):
        if isinstance(server, tuple):
            self._socket = socket.create_connection(server, timeout)
        else:
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout)
            self._socket.connect(str(server))
        self._received = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def send(self, data):
        self._socket.sendall(data)

    def ask(self, map_name, key):
        self.send(netstring(f"{map_name} {key}"))
        return self.answer()

    def answer(self):
        """The next answer; ConnectionError when the server closes instead."""
        while b":" not in self._received:
            self._receive()
        length, rest = self._received.split(b":", 1)
        while len(rest) < int(length) + 1:
            self._receive()
            rest = self._received.split(b":", 1)[1]
        text, self._received = rest[: int(length)], rest[int(length) + 1 :]
        if rest[int(length) : int(length) + 1] != b",":
            raise ValueError("the answer is no netstring")
        return text.decode("utf-8")

    def is_closed_by_server(self, seconds):
        """Whether the server ends the connection, without an answer, within this time."""
        self._socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            try:
                return self._socket.recv(1) == b""
            except ConnectionError:
                return True
        return False

    def _receive(self):
        received = self._socket.recv(65536)
        if not received:
            raise ConnectionError("closed by the server")
        self._received += received


def ask(key, map_name="postfix", timeout=ANSWER_SECONDS):
    """One question on a connection of its own."""
    with Connection(timeout=timeout) as connection:
        return connection.ask(map_name, key)
