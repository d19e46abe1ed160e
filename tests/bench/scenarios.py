"""The scenarios: who is measured with what, round by round, side by side.

Each function adds samples to the results. In a round every subject has its turn before the next
round begins, so that a slow minute of the machine hits all of them.
"""

import os
import socket
import time

from processes import DO_NOTHING_PORT, PEER_PORT, STRICTMX_PORT, BenchError

STRICTMX = "strictmxd"
PEER = "mta-sts-resolver"
DO_NOTHING = "do-nothing server"
BARE = "bare client"
DANE_UNSIGNED = "strictmxd, unsigned"
DANE_TLSA = "strictmxd, TLSA"

# The daemon may still write to its store after the last answer; that work counts too.
SETTLE_SECONDS = 1.0
FIRST_TIME_CONNECTIONS = 64


def _new_store(programs, name):
    """Path of a store that does not exist yet."""
    store = programs.file(name + ".db")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(store + suffix):
            os.remove(store + suffix)
    return store


def _ask_each_once(programs, port, domains, may_be_wrong=False, **options):
    return programs.load(port, may_be_wrong, order="sequence", questions=domains, domains=domains,
                         connections=FIRST_TIME_CONNECTIONS, **options)


def _warm_peer(programs, domains):
    """It answers NOTFOUND where a fetch took too long; so ask again until all are cached."""
    for _ in range(4):
        if _ask_each_once(programs, PEER_PORT, domains, may_be_wrong=True)["wrong"] == 0:
            return
    raise BenchError(f"{PEER} does not get all policies")


def warm_cache(programs, results, scale):
    """Cached domains, names at random: do-nothing server, strictmxd, peer. And their memory."""
    servers = {DO_NOTHING: (programs.do_nothing(), DO_NOTHING_PORT)}
    try:
        if programs.has_strictmx():
            server = programs.ready_strictmx(_new_store(programs, "warm"))
            servers[STRICTMX] = (server, STRICTMX_PORT)
            results.add("memory", STRICTMX, {"empty_kib": server.rss_kib()})
            _ask_each_once(programs, STRICTMX_PORT, scale.domains)
            results.add("memory", STRICTMX, {"small_kib": server.rss_kib()})
        if programs.has_peer():
            server = programs.peer()
            servers[PEER] = (server, PEER_PORT)
            results.add("memory", PEER, {"empty_kib": server.rss_kib()})
            _warm_peer(programs, scale.domains)
            results.add("memory", PEER, {"small_kib": server.rss_kib()})
        _warm_rounds(programs, results, scale, servers)
    finally:
        for server, _ in servers.values():
            server.stop()


def _warm_rounds(programs, results, scale, servers):
    for _ in range(scale.rounds):
        for in_flight in (1, 8):
            for subject, (server, port) in servers.items():
                fixed = 5000 if subject == DO_NOTHING else 0
                figures = programs.load(port, connections=32, in_flight=in_flight, pid=server.pid,
                                        domains=scale.domains, seconds=scale.seconds,
                                        fixed_answer=fixed)
                results.add(f"warm cache, 32 x {in_flight}", subject, figures)
    for subject, (server, _) in servers.items():
        results.add("memory", subject, {"after_load_kib": server.rss_kib()})


def first_time(programs, results, scale):
    """Domains never asked before: bare client, strictmxd with an empty store, peer."""
    for _ in range(scale.rounds):
        _bare_round(programs, results, "first time", scale.domains)
        if programs.has_strictmx():
            server = programs.ready_strictmx(_new_store(programs, "first"))
            _first_time_round(programs, results, "first time", STRICTMX, server, STRICTMX_PORT,
                              scale.domains)
        if programs.has_peer():
            server = programs.peer()
            _first_time_round(programs, results, "first time", PEER, server, PEER_PORT,
                              scale.peer_domains)


def first_time_dane(programs, results, scale):
    """The map QUERY: MTA-STS, and MX hosts, their addresses and TLSA. Validated where signed."""
    if not programs.has_strictmx():
        return
    scenario = "first time with DANE"
    dns = programs.signed_dns(scale.domains)
    try:
        for _ in range(scale.rounds):
            _bare_round(programs, results, scenario, scale.domains)
            server = programs.ready_strictmx(_new_store(programs, "dane"))
            _first_time_round(programs, results, scenario, DANE_UNSIGNED, server, STRICTMX_PORT,
                              scale.domains, map="QUERY")
            server = programs.ready_strictmx(_new_store(programs, "dane"),
                                             programs.validating_settings())
            _first_time_round(programs, results, scenario, DANE_TLSA, server, STRICTMX_PORT,
                              scale.domains, map="QUERY", answer="dane-only")
    finally:
        dns.stop()


def _bare_round(programs, results, scenario, domains):
    figures = programs.bare_client(domains=domains, concurrent=FIRST_TIME_CONNECTIONS)
    results.add(scenario, BARE, {"rate": figures["domains_per_second"],
                                 "cpu_us": figures["cpu_us_per_domain"]})


def _first_time_round(programs, results, scenario, subject, server, port, domains, **options):
    try:
        before = server.cpu_seconds()
        figures = _ask_each_once(programs, port, domains, may_be_wrong=subject == PEER, **options)
        time.sleep(SETTLE_SECONDS)
        cpu = (server.cpu_seconds() - before) * 1e6 / domains
        results.add(scenario, subject, {
            "rate": figures["questions_per_second"], "cpu_us": cpu, "p50_us": figures["p50_us"],
            "p99_us": figures["p99_us"], "wrong": figures["wrong"],
            "rss_kib": server.rss_kib()})
    finally:
        server.stop()


def no_policy(programs, results, scale):
    """Names whose TXT record does not exist: DNS only. One asker at a time, then 32."""
    subjects = []
    if programs.has_strictmx():
        subjects.append((STRICTMX, lambda: programs.ready_strictmx(_new_store(programs, "none")),
                         STRICTMX_PORT))
    if programs.has_peer():
        subjects.append((PEER, programs.peer, PEER_PORT))
    for subject, start, port in subjects:
        server = start()
        try:
            for turn in range(scale.rounds * 2):
                connections = (1, 32)[turn % 2]
                count = scale.domains if connections == 32 else scale.domains // 5
                before = server.cpu_seconds()
                figures = programs.load(port, kind="none", order="sequence", questions=count,
                                        domains=count, first=turn * scale.domains,
                                        connections=connections)
                figures["cpu_us_per_question"] = (server.cpu_seconds() - before) * 1e6 / count
                results.add(f"no policy, {connections} askers", subject, figures)
        finally:
            server.stop()


def large_store(programs, results, scale):
    """Memory and start-up with many cached domains (RFC 8461 lets a policy live for a year)."""
    if not programs.has_strictmx():
        return
    store = _new_store(programs, "large")
    _fill_store(programs, results, store, scale.memory_domains)
    for _ in range(scale.rounds):
        server = programs.strictmx(store)
        try:
            results.add("start-up", STRICTMX, {
                "seconds": _first_answer_seconds(server, scale.memory_domains // 2),
                "rss_kib": server.rss_kib()})
        finally:
            server.stop()
    server = programs.ready_strictmx(store)
    try:
        _ask_each_once(programs, STRICTMX_PORT, scale.memory_domains)
        results.add("memory", STRICTMX, {"large_reloaded_kib": server.rss_kib()})
    finally:
        server.stop()


def _fill_store(programs, results, store, domains):
    """Resolves every domain for real, through the daemon itself."""
    server = programs.ready_strictmx(store)
    try:
        results.add("memory", STRICTMX, {"empty_kib": server.rss_kib()})
        _ask_each_once(programs, STRICTMX_PORT, domains)
        time.sleep(SETTLE_SECONDS)
        results.add("memory", STRICTMX, {"large_kib": server.rss_kib()})
    finally:
        server.stop()


def _first_answer_seconds(server, number):
    """From the start of the process to the right answer about a stored domain."""
    text = f"postfix d{number}.test"
    question = f"{len(text)}:{text},".encode("ascii")
    while True:
        try:
            with socket.create_connection(("127.0.0.1", STRICTMX_PORT), timeout=60) as link:
                link.sendall(question)
                answer = link.recv(1000)
                elapsed = time.monotonic() - server.started
                if f"mx1.d{number}.test".encode("ascii") not in answer:
                    raise BenchError(f"wrong first answer: {answer!r}")
                return elapsed
        except ConnectionRefusedError:
            if time.monotonic() - server.started > 60:
                raise BenchError("no answer a minute after the start") from None
            time.sleep(0.002)
