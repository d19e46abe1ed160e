"""A wall clock of its own for one process, set while it runs; its monotonic clock is left alone."""

import os
import time
from pathlib import Path

from .testing import Skip

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"
# libfaketime looks at its file this often, in whole seconds.
LOOK_SECONDS = 1


class SteppedTime:
    """The clock of processes started with environment(); step() sets it against the true time."""

    def __init__(self, folder):
        found = sorted(Path("/").glob(LIBRARIES.lstrip("/")))
        if not found:
            raise Skip("libfaketime is missing (package: faketime)")
        self._library = found[0]
        self._file = folder / "faketime"
        self._offset = 0
        self._write()

    def environment(self):
        return {
            **os.environ,
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(LOOK_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds):
        """Sets the clock this much on (or back); when it returns the process sees it."""
        self._offset += seconds
        self._write()
        time.sleep(LOOK_SECONDS + 1)

    def now(self):
        return time.time() + self._offset

    def _write(self):
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{self._offset:+d}\n", encoding="ascii")
        fresh.chmod(0o644)
        fresh.rename(self._file)
