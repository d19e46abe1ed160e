"""What a server saw, one JSON object a line: written by its threads, read by the tests."""

import json
import threading


class JsonLog:
    def __init__(self, path):
        self._file = open(path, "a", encoding="ascii", buffering=1)
        self._lock = threading.Lock()

    def write(self, **fields):
        with self._lock:
            self._file.write(json.dumps(fields) + "\n")


def read(path):
    """All that is written so far, in order."""
    lines = path.read_text(encoding="ascii").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
