"""What the tests of the command strictmx share: running its programs, exit codes, a folder of their own.

Use: the test's main is cli_program.main(__doc__); BUILD_DIR is its first argument.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = None  # set from the command line

OK, USAGE, DATA, NOINPUT, UNAVAILABLE, OUTPUT, TEMP, FORBIDDEN, CONFIG = (
    0, 64, 65, 66, 69, 74, 75, 77, 78)
NOBODY = 65534
# A first question waits for DNS; a loaded machine takes its time.
TIMEOUT_SECONDS = 60


def run(*arguments, program="strictmx", stdin=b"", **options):
    """Runs a program of the build; stdout and stderr are text, with what is not UTF-8 replaced."""
    done = subprocess.run([str(BUILD / program), *map(str, arguments)], input=stdin,
                          capture_output=True, timeout=TIMEOUT_SECONDS, check=False, **options)
    done.stdout = done.stdout.decode(errors="replace")
    done.stderr = done.stderr.decode(errors="replace")
    return done


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)


def main(usage):
    global BUILD
    if len(sys.argv) < 2:
        sys.exit(usage)
    BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
    unittest.main(verbosity=1)
