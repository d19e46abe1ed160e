#!/usr/bin/python3
"""Runs clang-tidy on the project's source files, each once for each state of what it includes.

    tidy.py --build build/asan [--cache DIR] [--jobs N] [--seconds N] [PATH...]

The build folder gives the compile commands and, once it is built, each file's dependencies: a file is looked
at again when clang-tidy, .clang-tidy, its compile command, itself or anything of the project that it includes
has changed. A PATH is a file, or a folder for all files below it. The files changed last come first. When
--seconds have passed, no further file is begun and the rest are skips. Prints `FAIL FILE` with the findings,
and `N passed, N failed, N skipped`; the exit status is 1 when something was found.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLANG_TIDY = "clang-tidy-14"
# The slowest file takes a minute on a busy machine.
FILE_SECONDS = 600


def compile_commands(build):
    """{source file: its compile command}, of the project's own files."""
    commands = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(ROOT) and path.exists():
            commands[path] = entry["command"]
    return commands


def dependencies(build):
    """{source file: files of the project that it includes, itself first}, as the last build found them."""
    listed = subprocess.run(
        ["ninja", "-C", str(build), "-t", "deps"], check=False, capture_output=True, text=True
    ).stdout
    found = {}
    for block in listed.split("\n\n"):
        lines = block.splitlines()
        if not lines or "(VALID)" not in lines[0]:
            continue
        paths = [(build / line.strip()).resolve() for line in lines[1:]]
        own = [path for path in paths if path.is_relative_to(ROOT)]
        if own:
            found[own[0]] = own
    return found


def fingerprint(path, command, included, common):
    total = hashlib.sha256(common)
    total.update(command.encode())
    for one in sorted(set(included) | {path}):
        total.update(f"\0{one.relative_to(ROOT)}\0".encode())
        total.update(one.read_bytes())
    return total.hexdigest()


def look_at(path, build):
    """The findings, or nothing where there are none."""
    try:
        done = subprocess.run(
            [CLANG_TIDY, "--quiet", "-p", str(build), str(path)],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FILE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"clang-tidy took more than {FILE_SECONDS} s"
    if done.returncode == 0:
        return None
    return done.stdout or done.stderr


def main():
    parser = argparse.ArgumentParser(description="clang-tidy on what has changed")
    parser.add_argument("--build", type=Path, required=True, help="folder of a Clang build")
    parser.add_argument("--cache", type=Path, help="what was found clean (default BUILD/tidy)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=int, help="begin no further file after so many")
    parser.add_argument("paths", nargs="*", type=Path, help="default: all that the build compiles")
    options = parser.parse_args()
    build = options.build.resolve()
    cache = options.cache or build / "tidy"
    cache.mkdir(parents=True, exist_ok=True)

    commands = compile_commands(build)
    wanted = list(commands)
    if options.paths:
        chosen = [path.resolve() for path in options.paths]
        wanted = [path for path in wanted if any(path.is_relative_to(one) for one in chosen)]
    if not wanted:
        sys.exit(f"{build} compiles none of these files")
    wanted.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    known = dependencies(build)
    version = subprocess.run([CLANG_TIDY, "--version"], check=True, capture_output=True).stdout
    common = version + (ROOT / ".clang-tidy").read_bytes()
    started = time.monotonic()
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def judge(path):
        stamp = None
        if path in known:
            stamp = cache / fingerprint(path, commands[path], known[path], common)
            if stamp.exists():
                return "passed", None, 0
        if options.seconds is not None and time.monotonic() - started > options.seconds:
            return "skipped", "no time left", 0
        begun = time.monotonic()
        findings = look_at(path, build)
        if findings is None and stamp is not None:
            stamp.touch()
        return "passed" if findings is None else "failed", findings, time.monotonic() - begun

    with concurrent.futures.ThreadPoolExecutor(max_workers=options.jobs) as pool:
        for path, (outcome, why, seconds) in zip(wanted, pool.map(judge, wanted)):
            counts[outcome] += 1
            name = path.relative_to(ROOT)
            if outcome == "failed":
                print(f"FAIL {name}\n{why}")
            elif outcome == "skipped":
                print(f"skip {name}: {why}")
            else:
                print(f"ok {name} ({seconds:.0f} s)")
            sys.stdout.flush()
    print(", ".join(f"{number} {outcome}" for outcome, number in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
