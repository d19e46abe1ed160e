"""Senders of results for the tests that kill their receiver: numbered and repeating, each counted.

Use: Sender(path, name, numbers_a_domain, pause).start(); is_ending ends it. What send() has returned
for is in the kernel at least: from there on nobody but the receiver can lose it.
"""

import json
import socket
import threading
import time


def numbered(sender, number, numbers_a_domain):
    failure = {"c": 205, "n": "mx.example.org", "f": f"number-{sender}-{number}"}
    policy = {"policy-type": 9, "failure-details": [failure], "t": 1, "f": 1}
    return {"dpv": "1", "d": f"n{sender}-{number // numbers_a_domain}.example",
            "policies": [policy]}


def repeating(number):
    policy = {"policy-type": 2, "policy-domain": f"r{number % 7}.example",
              "policy-string": ["version: STSv1", "mode: enforce"], "t": 0, "f": 0}
    return {"dpv": "1", "d": f"r{number % 7}.example", "policies": [policy]}


class Sender(threading.Thread):
    """Waits when the queue is full; rests for `pause` seconds after so many results."""

    def __init__(self, path, name, numbers_a_domain, pause, pause_every=1):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.connect(str(path))
        self.name = name
        self.numbers_a_domain = numbers_a_domain
        self.pause, self.pause_every = pause, pause_every
        self.numbers = self.repeats = 0
        self.is_ending = False

    def run(self):
        while not self.is_ending:
            # Counted when send() has returned.
            if (self.numbers + self.repeats) % 3 == 0:
                result = numbered(self.name, self.numbers, self.numbers_a_domain)
                self.socket.send(json.dumps(result).encode())
                self.numbers += 1
            else:
                self.socket.send(json.dumps(repeating(self.repeats)).encode())
                self.repeats += 1
            if (self.numbers + self.repeats) % self.pause_every == 0:
                time.sleep(self.pause)
