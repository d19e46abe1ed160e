"""What a test file needs: check, wait_until, Skip, and cases for a function that runs once a row."""

import time


class Skip(Exception):
    """The test cannot run here; the text says why. A skip is reported, it is never a pass."""


class Failed(Exception):
    """What the test saw is not what must be."""


def check(condition, why):
    if not condition:
        raise Failed(why)


def check_equal(got, want, what):
    if got != want:
        raise Failed(f"{what}: got {got!r}, want {want!r}")


def wait_until(predicate, seconds, what, pause=0.1):
    """The first true value of predicate, asked until it is true. Fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(pause)


def cases(rows):
    """Decorator: the test runs once for each row; a row is a string or a tuple of strings."""

    def mark(function):
        function.cases = [row if isinstance(row, tuple) else (row,) for row in rows]
        return function

    return mark
