#!/usr/bin/python3
"""Runs the interop tests: real Postfix, NSD, unbound, nginx and strictmxd in namespaces of their own.

    run.py [--build DIR] [--postfix 3.7,3.10] [--only PATTERN] [--logs DIR] | --list | --packages

Prints `ok NAME`, `FAIL NAME: why` or `skip NAME: why` for each test and `N passed, N failed, N skipped` at the end;
the exit status is 1 if a test failed. Logs of a run with failures are kept in BUILD/interop-logs; with --logs they are
kept there whatever the outcome. Needs root.
"""

import argparse
import fnmatch
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True

from lab import isolation, servers  # noqa: E402
from lab.processes import missing_programs  # noqa: E402
from lab.testing import Failed, Skip  # noqa: E402

PROGRAMS = (
    "ip",
    "unshare",
    "nsd",
    "unbound",
    "unbound-control",
    "ldns-signzone",
    "drill",
    "nginx",
    "openssl",
)

# No single test may hold the run for longer.
TEST_SECONDS = 300


# The rest of a long reason is in failures.log.
REASON_CHARACTERS = 400


class Test:
    def __init__(self, module, function, case):
        self.name = f"{module.__name__}/{function.__name__.removeprefix('test_')}"
        if case:
            self.name += f"[{','.join(case)}]"
        self.module, self._function, self._case = module, function, case

    def run(self, lab):
        self._function(lab, *self._case)


def load_tests(pattern):
    tests = []
    for path in sorted(FOLDER.glob("[0-9][0-9]_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, function in vars(module).items():
            if name.startswith("test_"):
                tests += [Test(module, function, case) for case in getattr(function, "cases", [()])]
    return [
        test
        for test in tests
        if not pattern or pattern in test.name or fnmatch.fnmatch(test.name, pattern)
    ]


def reason_to_skip_all(build):
    if os.geteuid() != 0:
        return "needs root"
    missing = missing_programs(PROGRAMS)
    if missing:
        return f"programs missing: {' '.join(missing)} (packages: {' '.join(package_list())})"
    refusal = isolation.refusal()
    if refusal:
        return f"no namespaces of our own: {refusal}"
    absent = [name for name in ("strictmxd", "strictmx") if not (build / name).exists()]
    return f"{build} holds no {' and no '.join(absent)}" if absent else None


def package_list():
    return (FOLDER / "packages.txt").read_text(encoding="ascii").split()


def outside(options):
    """Prepares what needs the real network, then runs the tests isolated from it."""
    tests = load_tests(options.only)
    why = reason_to_skip_all(options.build)
    if why:
        for test in tests:
            print(f"skip {test.name}: {why}")
        print(f"0 passed, 0 failed, {len(tests)} skipped")
        return 0
    folders = {}
    for version in options.postfix:
        try:
            folders[version] = str(servers.postfix_folder(version))
        except servers.Unavailable as reason:
            folders[version] = {"skip": f"Postfix {version}: {reason}"}
    plan = {
        "build": str(options.build),
        "only": options.only,
        "postfix": folders,
        "logs": str(options.logs or options.build / "interop-logs"),
        "keep_logs": bool(options.logs),
    }
    return isolation.run_isolated(
        [sys.executable, "-B", str(FOLDER / "run.py"), "--inside", json.dumps(plan)]
    )


def inside(plan, folder):
    """The first process of the namespaces."""
    from lab.lab import Lab

    try:
        isolation.prepare_mounts(folder)
        lab = Lab(folder, plan["build"], plan["postfix"])
    except (OSError, RuntimeError, subprocess.SubprocessError) as failure:
        print(f"FAIL lab: {failure}\n0 passed, 1 failed, 0 skipped")
        return 1
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    for test in load_tests(plan["only"]):
        started = time.monotonic()
        outcome, why = run_one(test, lab)
        counts[outcome] += 1
        seconds = time.monotonic() - started
        print(
            f"{outcome} {test.name}"
            + (f": {' '.join(why.split())[:REASON_CHARACTERS]}" if why else "")
            + (f" ({seconds:.0f} s)" if seconds >= 5 else ""),
            flush=True,
        )
    lab.stop_daemons()
    if counts["FAIL"] or plan["keep_logs"]:
        lab.keep_logs(plan["logs"])
        print(f"logs of this run: {plan['logs']}")
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped", flush=True)
    return 1 if counts["FAIL"] else 0


def run_one(test, lab):
    """One test, after its file's set_up if that has not run yet. A failed set_up fails every test of the file."""
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(TEST_SECONDS)
    try:
        set_up = getattr(test.module, "set_up", None)
        if set_up and not hasattr(test.module, "set_up_outcome"):
            test.module.set_up_outcome = RuntimeError("set-up did not end")
            try:
                set_up(lab)
                test.module.set_up_outcome = None
            except Exception as failure:
                test.module.set_up_outcome = failure
                raise
        if getattr(test.module, "set_up_outcome", None):
            raise _same_again(test.module.set_up_outcome)
        test.run(lab)
        return "ok", None
    except Skip as reason:
        return "skip", str(reason)
    except Exception as failure:  # whatever goes wrong in a test is that test's failure
        (lab.folder / "failures.log").open("a", encoding="utf-8").write(
            f"{test.name}\n{traceback.format_exc()}\n"
        )
        where = traceback.extract_tb(failure.__traceback__)[-1]
        plain = isinstance(failure, Failed)
        return (
            "FAIL",
            f"{failure}"
            if plain
            else f"{type(failure).__name__}: {failure} ({Path(where.filename).name}:{where.lineno})",
        )
    finally:
        signal.alarm(0)


def _same_again(outcome):
    return (
        outcome
        if isinstance(outcome, Skip)
        else Failed("the set-up failed, see the file's first test")
    )


def _too_long(*_):
    raise TimeoutError(f"the test took more than {TEST_SECONDS} s")


def main():
    parser = argparse.ArgumentParser(description="end-to-end tests with real servers")
    default_build = os.environ.get("STRICTMX_BUILD") or FOLDER.parent.parent / "build/release"
    parser.add_argument(
        "--build",
        type=Path,
        default=Path(default_build),
        help="folder with strictmxd and strictmx (default: $STRICTMX_BUILD)",
    )
    parser.add_argument("--only", default="", help="run tests whose name contains or matches this")
    parser.add_argument("--postfix", default="3.7,3.10", help="versions to test with")
    parser.add_argument("--logs", type=Path, help="keep all logs here, also when nothing fails")
    parser.add_argument("--list", action="store_true", help="print the names of the tests")
    parser.add_argument("--packages", action="store_true", help="print the Debian packages needed")
    parser.add_argument("--inside", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.packages:
        print("\n".join(package_list()))
        return 0
    if options.list:
        print("\n".join(test.name for test in load_tests(options.only)))
        return 0
    if options.inside:
        return inside(json.loads(options.inside[0]), Path(options.inside[1]))
    options.build = options.build.resolve()
    options.logs = options.logs and options.logs.resolve()
    options.postfix = [version for version in options.postfix.split(",") if version]
    return outside(options)


if __name__ == "__main__":
    sys.exit(main())
