#!/usr/bin/python3
"""Runs the benchmark: strictmxd beside its limits and its peer, medians over interleaved rounds.

    tests/bench/run.py --build DIR [--quick] [--json FILE] [--only NAME,...]

README.md says what each scenario measures. Fails when a program fails or an answer is wrong; a
target that is not met is printed, and is no failure unless --strict is given.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile

sys.dont_write_bytecode = True  # The source folder stays clean.

import namespace
import reports_scenario
import results_scenario
import scenarios
from processes import BenchError, Programs
from results import Results, print_target
from scenarios import BARE, DANE_TLSA, DANE_UNSIGNED, DO_NOTHING, STRICTMX

WARM_COLUMNS = [("questions/s", "questions_per_second", "{:,.0f}"),
                ("CPU us/question", "cpu_us_per_question", "{:.2f}"),
                ("p50 us", "p50_us", "{:,.0f}"), ("p90 us", "p90_us", "{:,.0f}"),
                ("p99 us", "p99_us", "{:,.0f}"), ("max us", "max_us", "{:,.0f}")]
FIRST_COLUMNS = [("domains/s", "rate", "{:,.0f}"), ("CPU us/domain", "cpu_us", "{:,.0f}"),
                 ("p50 us", "p50_us", "{:,.0f}"), ("p99 us", "p99_us", "{:,.0f}"),
                 ("wrong", "wrong", "{:.0f}"), ("RSS KiB", "rss_kib", "{:,.0f}")]
RESULT_COLUMNS = [("results/s", "results_per_second", "{:,.0f}"),
                  ("CPU s/100,000", "cpu_s_per_100k", "{:.2f}"),
                  ("lost %", "lost_percent", "{:.3f}"), ("all stored s", "stored_seconds", "{:.2f}"),
                  ("RSS KiB", "rss_kib", "{:,.0f}")]
STORE_COLUMNS = [("rows", "rows", "{:,.0f}"), ("texts", "texts", "{:,.0f}"),
                 ("bytes/row", "bytes_per_row", "{:,.0f}")]
REPORT_COLUMNS = [("seconds", "seconds", "{:,.2f}"), ("CPU ms/report", "cpu_ms", "{:.2f}"),
                  ("connections", "connections", "{:,.0f}"),
                  ("RSS KiB before", "before_kib", "{:,.0f}"), ("largest", "peak_kib", "{:,.0f}")]
DAY_COLUMNS = [("RSS KiB at start", "start_kib", "{:,.0f}"), ("middle", "middle_kib", "{:,.0f}"),
               ("end", "end_kib", "{:,.0f}"), ("seconds", "seconds", "{:,.0f}"), *STORE_COLUMNS]
START_COLUMNS = [("first answer s", "seconds", "{:.3f}"), ("RSS KiB", "rss_kib", "{:,.0f}")]

RUNS = {"warm": scenarios.warm_cache, "first": scenarios.first_time,
        "dane": scenarios.first_time_dane, "none": scenarios.no_policy,
        "large": scenarios.large_store, "results": results_scenario.measure,
        "reports": reports_scenario.measure}


@dataclasses.dataclass(frozen=True)
class Scale:
    rounds: int
    seconds: int
    domains: int
    peer_domains: int
    memory_domains: int
    results: int
    report_domains: int
    many_report_domains: int
    day_results: int
    day_domains: int


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True, help="folder with strictmxd and bench_*")
    parser.add_argument("--quick", action="store_true", help="small, to see that all works")
    parser.add_argument("--json", metavar="FILE", help="also write all samples here")
    parser.add_argument("--only", default=",".join(RUNS), help="scenarios, of " + ", ".join(RUNS))
    parser.add_argument("--rounds", type=int, help="how often each measurement is made")
    parser.add_argument("--memory-domains", type=int, help="domains of the large store")
    parser.add_argument("--strict", action="store_true", help="a target not met is a failure")
    return parser.parse_args()


def choose_scale(arguments):
    scale = Scale(rounds=5, seconds=3, domains=10000, peer_domains=1000, memory_domains=100000,
                  results=1000000, report_domains=10000, many_report_domains=100000,
                  day_results=10000000, day_domains=100000)
    if arguments.quick:
        scale = Scale(rounds=3, seconds=1, domains=2000, peer_domains=200, memory_domains=5000,
                      results=100000, report_domains=1000, many_report_domains=5000,
                      day_results=500000, day_domains=10000)
    if arguments.rounds:
        scale = dataclasses.replace(scale, rounds=arguments.rounds)
    if arguments.memory_domains:
        scale = dataclasses.replace(scale, memory_domains=arguments.memory_domains)
    return scale


def measure(arguments, scale, results, folder):
    programs = Programs(os.path.abspath(arguments.build), folder)
    if not programs.has_strictmx():
        results.note("skipped: strictmxd, not in the build folder")
    if not programs.has_peer():
        results.note("skipped: postfix-mta-sts-resolver, package not installed")
    servers = []
    try:
        servers.append(programs.dns())
        servers.append(programs.https(scale.domains))
        for name in arguments.only.split(","):
            print(f"measuring: {name}", flush=True)
            RUNS[name](programs, results, scale)
    finally:
        for server in servers:
            server.stop()


def memory_columns(scale):
    small, large = f"{scale.domains:,}", f"{scale.memory_domains:,}"
    figures = [("empty KiB", "empty_kib"), (f"{small} domains", "small_kib"),
               ("after load", "after_load_kib"), (f"{large} domains", "large_kib"),
               (f"{large} reloaded", "large_reloaded_kib")]
    return [(title, figure, "{:,.0f}") for title, figure in figures]


def print_tables(results, scale):
    for in_flight in (1, 8):
        results.print_table(f"warm cache, 32 x {in_flight}", WARM_COLUMNS, DO_NOTHING)
    for scenario in ("first time", "first time with DANE"):
        results.print_table(scenario, FIRST_COLUMNS, BARE)
    for askers in (1, 32):
        results.print_table(f"no policy, {askers} askers", WARM_COLUMNS)
    results.print_table("memory", memory_columns(scale))
    results.print_table("start-up", START_COLUMNS)
    for domains in (1000, scale.memory_domains):
        results.print_table(results_scenario.BLOCKING.format(f"{domains:,}"), RESULT_COLUMNS,
                            results_scenario.COUNTER)
    for rate in results_scenario.RATES:
        results.print_table(results_scenario.NOT_WAITING.format(f"{rate:,}"), RESULT_COLUMNS)
    results.print_table("results, store", STORE_COLUMNS)
    for way in (*reports_scenario.WAYS, reports_scenario.SENDING):
        results.print_table(way, REPORT_COLUMNS, reports_scenario.LIMIT)
    results.print_table(reports_scenario.LATENCY, WARM_COLUMNS, reports_scenario.QUIET)
    results.print_table(reports_scenario.MANY, REPORT_COLUMNS)
    results.print_table(reports_scenario.DAY, DAY_COLUMNS)


def bytes_per_domain(results, figure, domains):
    empty = results.median("memory", STRICTMX, "empty_kib")
    filled = results.median("memory", STRICTMX, figure)
    return None if empty is None or filled is None else (filled - empty) * 1024 / domains


def judge_targets(results, scale):
    def ratio(scenario, base, figure):
        return results.ratio(scenario, STRICTMX, base, figure)

    small_kib = results.median("memory", STRICTMX, "small_kib")
    warm = "warm cache, 32 x {}"
    print()
    return [
        print_target("warm rate, 32 x 1, of the do-nothing server's",
                     ratio(warm.format(1), DO_NOTHING, "questions_per_second"), 0.9, True),
        print_target("warm rate, 32 x 8, of the do-nothing server's",
                     ratio(warm.format(8), DO_NOTHING, "questions_per_second"), 0.7, True),
        print_target("warm CPU per question, 32 x 1, of the do-nothing server's",
                     ratio(warm.format(1), DO_NOTHING, "cpu_us_per_question"), 1.5, False),
        print_target("warm CPU per question, 32 x 8, of the do-nothing server's",
                     ratio(warm.format(8), DO_NOTHING, "cpu_us_per_question"), 1.5, False),
        print_target("first-time rate, of the bare client's", ratio("first time", BARE, "rate"),
                     0.85, True),
        print_target("first-time CPU per domain, of the bare client's",
                     ratio("first time", BARE, "cpu_us"), 1.2, False),
        print_target("first-time rate with DANE, nothing signed, of the bare client's",
                     results.ratio("first time with DANE", DANE_UNSIGNED, BARE, "rate"), 0.72,
                     True),
        print_target("first-time rate with DANE, all signed, with TLSA, of the bare client's",
                     results.ratio("first time with DANE", DANE_TLSA, BARE, "rate"), 0.72, True),
        print_target(f"bytes per domain above the empty daemon, {scale.domains} domains",
                     bytes_per_domain(results, "small_kib", scale.domains), 1024, False),
        print_target(f"bytes per domain above the empty daemon, {scale.memory_domains} domains",
                     bytes_per_domain(results, "large_kib", scale.memory_domains), 1024, False),
        print_target(f"resident MB with {scale.domains} domains",
                     None if small_kib is None else small_kib * 1024 / 1e6, 20, False),
        print_target(f"seconds to the first answer with {scale.memory_domains} stored policies",
                     results.median("start-up", STRICTMX, "seconds"), 1.0, False),
    ] + judge_results(results) + judge_reports(results, scale)


def judge_results(results):
    blocking = results_scenario.BLOCKING.format("1,000")
    targets = [
        print_target("results from waiting senders, of the counting receiver's rate",
                     results.ratio(blocking, STRICTMX, results_scenario.COUNTER,
                                   "results_per_second"), 0.25, True),
        print_target("CPU seconds for 100,000 results, stored",
                     results.median(blocking, STRICTMX, "cpu_s_per_100k"), 2.0, False),
    ]
    for rate in results_scenario.RATES:
        scenario = results_scenario.NOT_WAITING.format(f"{rate:,}")
        lost = [results.median(scenario, subject, "lost_percent")
                for subject in (STRICTMX, results_scenario.COUNTER)]
        targets.append(print_target(
            f"per cent lost at {rate:,}/s above the counting receiver's",
            None if None in lost else lost[0] - lost[1], 1.0, False))
    return targets


def judge_reports(results, scale):
    def seconds(way):
        value = results.median(way, STRICTMX, "seconds")
        return None if value is None else value * 1e4 / scale.report_domains

    many = [results.median(reports_scenario.MANY, STRICTMX, f"{when}_kib")
            for when in ("before", "peak")]
    day = [results.median(reports_scenario.DAY, STRICTMX, f"{when}_kib")
           for when in ("middle", "end")]
    return [
        print_target("seconds for 10,000 reports into a folder", seconds(reports_scenario.FOLDER),
                     5, False),
        print_target("seconds for 10,000 signed mails, SMTP included",
                     seconds(reports_scenario.SIGNED), 10, False),
        print_target(f"MB more while {scale.many_report_domains:,} reports leave",
                     None if None in many else (many[1] - many[0]) * 1024 / 1e6, 20, False),
        print_target(f"MB more at the end of {scale.day_results:,} results than in the middle",
                     None if None in day else (day[1] - day[0]) * 1024 / 1e6, 2, False),
    ]


def main():
    arguments = parse_arguments()
    unknown = set(arguments.only.split(",")) - set(RUNS)
    if unknown:
        sys.exit(f"no such scenario: {', '.join(sorted(unknown))}")
    namespace.enter()
    scale = choose_scale(arguments)
    results = Results()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="strictmx-bench-") as folder:
        namespace.prepare(folder)
        try:
            measure(arguments, scale, results, folder)
        except BenchError as error:
            sys.exit(f"benchmark failed: {error}")
    print(f"\n{os.cpu_count()} CPUs, load {load_before:.2f} before the run, medians of "
          f"{scale.rounds}; in brackets the ratio to the first row")
    print_tables(results, scale)
    targets = judge_targets(results, scale)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as out:
            json.dump({**results.as_dict(), "targets": targets}, out, indent=1)
    if arguments.strict and any(t["outcome"] != "met" for t in targets):
        sys.exit(2)


if __name__ == "__main__":
    main()
