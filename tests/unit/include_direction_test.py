#!/usr/bin/env python3
"""Fails on an #include that breaks the dependency direction of common/ and plugins/.

Use: include_direction_test.py --root SOURCE_TREE    checks the tree, one line for each problem
     include_direction_test.py --self-check          checks that each rule finds what breaks it

Rules, each with a row in SELF_CHECK below:
- common/X includes common/Y only where Y is X or stands above it in ORDER; never plugins.
- plugins/X includes common and itself; plugins/strictmxd alone includes other plugins.
- A third-party header stands only where THIRD_PARTY allows it: in source files, never in headers.
- In common an angle-bracket header that is neither standard, POSIX nor in THIRD_PARTY is a problem,
  so that a new library is entered here first. A plugin may include its own server's headers.

Known gaps: lines in `#if 0` count, a raw string may look like an #include.
"""

import argparse
import os
import re
import sys
import tempfile

ORDER = ["base", "dns", "http", "store", "tlsrpt", "mta_sts", "dane", "verdict", "smtp", "dkim",
         "reporting", "intake", "service", "client"]
GATHERING_PLUGIN = "strictmxd"
HEADERS = (".h", ".hpp", ".hh", ".inc")
SOURCES = (".cc", ".cpp", ".cxx", ".c")

# name: (headers, folders whose source files may include them, how many files of a folder may)
# A folder is one of common/, or "plugins" for all plugins, or "plugins/X".
MANY = None
THIRD_PARTY = {
    "libevent": (r"event2/.*|event\.h|evhttp\.h|evdns\.h", {"base": MANY, "service": MANY}),
    "toml++": (r"toml\+\+/.*|toml\.hpp", {"base": 1}),
    "spdlog": (r"spdlog/.*", {"base": 1}),
    "libidn2": (r"idn2\.h", {"base": 1}),
    "fmt": (r"fmt/.*", {**{folder: MANY for folder in ORDER}, "plugins": MANY}),
    "libunbound": (r"unbound\.h|unbound-event\.h", {"dns": MANY}),
    "OpenSSL": (r"openssl/.*", {"http": MANY, "smtp": MANY, "dkim": MANY}),
    "SQLite": (r"sqlite3(ext)?\.h", {"store": MANY}),
    "jansson": (r"jansson\.h", {"tlsrpt": MANY, "verdict": MANY, "service": MANY, "client": MANY,
                                "plugins": MANY}),
    "libcurl": (r"curl/.*", {"reporting": 1}),
    "zlib": (r"zlib\.h|zconf\.h", {"reporting": 1}),
    "GMime": (r"gmime/.*", {"intake": 1}),
    "CLI11": (r"CLI/.*|CLI11\.hpp", {"plugins": MANY}),
    "libmilter": (r"libmilter/.*", {"plugins/milter": MANY}),
    "GoogleTest": (r"gtest/.*|gmock/.*|cmocka\.h|benchmark/.*", {}),
}

# C++ headers have neither a dot nor a slash; these are C and POSIX.
C_AND_POSIX = re.compile(
    r"(sys|netinet|arpa|net|bits)/[a-z0-9_]+\.h|(assert|ctype|dirent|dlfcn|endian|err|errno|fcntl|"
    r"fnmatch|getopt|glob|grp|ifaddrs|inttypes|libgen|limits|locale|math|netdb|poll|pthread|pwd|"
    r"regex|resolv|sched|semaphore|setjmp|signal|spawn|stdarg|stdbool|stddef|stdint|stdio|stdlib|"
    r"string|strings|sysexits|syslog|termios|time|unistd|wchar)\.h")
LINUX_ONLY = re.compile(
    r"linux/.*|asm/.*|sys/(epoll|eventfd|inotify|prctl|signalfd|timerfd|capability)\.h|"
    r"systemd/.*|seccomp\.h|malloc\.h")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*(?:include|include_next|import)\b[ \t]*(.*)$', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def source_files(root):
    for top in ("common", "plugins"):
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders[:] = sorted(name for name in folders if name != "node_modules")
            for name in sorted(files):
                if name.endswith(HEADERS + SOURCES):
                    path = os.path.join(folder, name)
                    yield os.path.relpath(path, root).replace(os.sep, "/")


def includes(root, path):
    """Yields (line, quoted, name); name is None for an #include of a macro."""
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        text = file.read().replace("\\\n", " ")
    text = COMMENT.sub(lambda match: "\n" * match.group().count("\n"), text)
    for match in INCLUDE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        named = re.match(r'"([^"]+)"|<([^>]+)>', match.group(1))
        if named is None:
            yield line, False, None
        else:
            yield line, named.group(1) is not None, named.group(1) or named.group(2)


def folder_problem(path, target):
    """What is wrong with file `path` including project file `target`, or None."""
    own, other = path.split("/"), target.split("/")
    if own[0] == "common":
        if other[0] != "common":
            return "common never includes plugins"
        if len(other) < 3 or other[1] not in ORDER:
            return f"{target} is in no folder of the order {' '.join(ORDER)}"
        if ORDER.index(other[1]) > ORDER.index(own[1]):
            return f"{own[1]} stands above {other[1]} and must not include it"
        return None
    if other[0] == "plugins" and other[1] != own[1] and own[1] != GATHERING_PLUGIN:
        return f"plugin {own[1]} must not include plugin {other[1]}"
    return None


def foreign_problem(path, name, users):
    """What is wrong with file `path` including foreign header `name`, or None."""
    top, folder = path.split("/")[:2]
    for library, (headers, allowed) in THIRD_PARTY.items():
        if not re.fullmatch(headers, name):
            continue
        if path.endswith(HEADERS):
            return f"{library} in a header; third-party types stay in source files"
        places = [folder] if top == "common" else ["plugins", f"plugins/{folder}"]
        place = next((place for place in places if place in allowed), None)
        if place is None:
            return f"{library} is allowed only in: {', '.join(sorted(allowed)) or 'tests'}"
        files = users.setdefault((library, place), set())
        files.add(path)
        if allowed[place] is not MANY and len(files) > allowed[place]:
            return f"{library} is in a second file of {place}: {', '.join(sorted(files))}"
        return None
    if LINUX_ONLY.fullmatch(name):
        is_base = (top, folder) == ("common", "base")
        return None if is_base else "Linux-only calls stay in common/base"
    if top == "plugins" or re.fullmatch(r"[a-z0-9_]+", name) or C_AND_POSIX.fullmatch(name):
        return None
    return "neither a standard header nor a library entered in THIRD_PARTY"


def check(root):
    """Returns (number of files, problems), a problem as "path:line: #include name: what"."""
    problems = []
    users = {}
    count = 0
    for path in source_files(root):
        count += 1
        parts = path.split("/")
        if len(parts) < 3 or (parts[0] == "common" and parts[1] not in ORDER):
            problems.append(f"{path}:1: in no folder of the order {' '.join(ORDER)}")
            continue
        for line, quoted, name in includes(root, path):
            if name is None:
                problem = "an #include names its file"
                name = "(macro)"
            else:
                # A quoted name may be relative to the file; "../" must not get around the rules.
                near = os.path.normpath(os.path.join(os.path.dirname(path), name))
                if quoted and os.path.isfile(os.path.join(root, near)):
                    target = near.replace(os.sep, "/")
                else:
                    target = os.path.normpath(name).replace(os.sep, "/")
                if target.split("/")[0] in ("common", "plugins"):
                    problem = folder_problem(path, target)
                else:
                    problem = foreign_problem(path, target, users)
            if problem is not None:
                problems.append(f"{path}:{line}: #include {name}: {problem}")
    return count, problems


# (name, {path: text}, the problem's beginning or None for a tree in order)
SELF_CHECK = [
    ("own folder", {"common/dns/a.cc": '#include "common/dns/a.h"\n'}, None),
    ("folder above", {"common/client/a.h": '#include "common/base/result.h"\n'}, None),
    ("folder below", {"common/base/a.h": '#pragma once\n#include "common/dns/resolver.h"\n'},
     "common/base/a.h:2: #include common/dns/resolver.h: base stands above dns"),
    ("next folder below", {"common/tlsrpt/a.cc": '#include "common/mta_sts/policy.h"\n'},
     "common/tlsrpt/a.cc:1: "),
    ("in angle brackets", {"common/base/a.cc": "#include <common/smtp/a.h>\n"},
     "common/base/a.cc:1: "),
    ("with spaces", {"common/base/a.cc": ' #  include\t"common/smtp/a.h"\n'},
     "common/base/a.cc:1: "),
    ("relative, near", {"common/base/a.cc": '#include "b.h"\n', "common/base/b.h": ""}, None),
    ("relative, below", {"common/base/a.cc": '#include "../smtp/b.h"\n', "common/smtp/b.h": ""},
     "common/base/a.cc:1: "),
    ("dots in the path", {"common/base/a.cc": '#include "common/base/../smtp/b.h"\n'},
     "common/base/a.cc:1: "),
    ("in a comment", {"common/base/a.cc":
                      '// #include "common/smtp/a.h"\n/*\n#include "common/smtp/a.h"\n*/\n'}, None),
    ("after a comment", {"common/base/a.cc": '/*\n\n*/\n#include "common/smtp/a.h"\n'},
     "common/base/a.cc:4: "),
    ("macro", {"common/base/a.cc": "#include HEADER\n"}, "common/base/a.cc:1: "),
    ("unknown folder", {"common/misc/a.cc": ""}, "common/misc/a.cc:1: "),
    ("no folder", {"common/a.cc": ""}, "common/a.cc:1: "),
    ("includes unknown folder", {"common/client/a.cc": '#include "common/misc/a.h"\n'},
     "common/client/a.cc:1: "),
    ("common includes plugin", {"common/client/a.cc": '#include "plugins/exim/a.h"\n'},
     "common/client/a.cc:1: #include plugins/exim/a.h: common never includes plugins"),
    ("plugin includes common", {"plugins/exim/a.cc": '#include "common/client/a.h"\n'}, None),
    ("plugin includes itself", {"plugins/exim/a.cc": '#include "plugins/exim/a.h"\n'}, None),
    ("plugin includes plugin", {"plugins/exim/a.cc": '#include "plugins/milter/a.h"\n'},
     "plugins/exim/a.cc:1: "),
    ("plugin includes daemon", {"plugins/exim/a.cc": '#include "plugins/strictmxd/a.h"\n'},
     "plugins/exim/a.cc:1: "),
    ("relative to plugin", {"plugins/exim/a.cc": '#include "../milter/a.h"\n',
                            "plugins/milter/a.h": ""}, "plugins/exim/a.cc:1: "),
    ("daemon includes plugin", {"plugins/strictmxd/a.cc": '#include "plugins/postfix/a.h"\n'},
     None),
    ("own server's header", {"plugins/exim/a.c": "#include <local_scan.h>\n"}, None),
    ("standard headers", {"common/smtp/a.h": "#include <string_view>\n#include <cstdint>\n"
                                             "#include <sys/socket.h>\n#include <unistd.h>\n"},
     None),
    ("Linux-only in base", {"common/base/a.cc": "#include <sys/eventfd.h>\n"}, None),
    ("Linux-only elsewhere", {"common/service/a.cc": "#include <sys/eventfd.h>\n"},
     "common/service/a.cc:1: "),
    ("unknown library", {"common/smtp/a.cc": "#include <boost/asio.hpp>\n"},
     "common/smtp/a.cc:1: "),
    ("libevent in base", {"common/base/a.cc": "#include <event2/event.h>\n",
                          "common/base/b.cc": "#include <event2/event.h>\n"}, None),
    ("libevent in service", {"common/service/a.cc": "#include <event2/http.h>\n"}, None),
    ("libevent in a header", {"common/base/a.h": "#include <event2/event.h>\n"},
     "common/base/a.h:1: #include event2/event.h: libevent in a header"),
    ("libevent in dns", {"common/dns/a.cc": "#include <event2/event.h>\n"},
     "common/dns/a.cc:1: "),
    ("libevent in a plugin", {"plugins/strictmxd/a.cc": "#include <event2/event.h>\n"},
     "plugins/strictmxd/a.cc:1: "),
    ("quoted library header", {"common/dns/a.cc": '#include "event2/event.h"\n'},
     "common/dns/a.cc:1: "),
    ("toml++ once", {"common/base/a.cc": "#include <toml++/toml.h>\n"}, None),
    ("toml++ twice", {"common/base/a.cc": "#include <toml++/toml.h>\n",
                      "common/base/b.cc": "#include <toml++/toml.h>\n"},
     "common/base/b.cc:1: #include toml++/toml.h: toml++ is in a second file of base"),
    ("spdlog, two headers", {"common/base/a.cc":
                             "#include <spdlog/spdlog.h>\n#include <spdlog/sinks/a.h>\n"}, None),
    ("spdlog twice", {"common/base/a.cc": "#include <spdlog/spdlog.h>\n",
                      "common/base/b.cc": "#include <spdlog/sinks/a.h>\n"},
     "common/base/b.cc:1: "),
    ("libidn2 elsewhere", {"common/dns/a.cc": "#include <idn2.h>\n"}, "common/dns/a.cc:1: "),
    ("fmt in a source file", {"common/client/a.cc": "#include <fmt/format.h>\n",
                              "plugins/cli/a.cc": "#include <fmt/format.h>\n"}, None),
    ("fmt in a header", {"common/base/a.h": "#include <fmt/format.h>\n"}, "common/base/a.h:1: "),
    ("unbound in dns", {"common/dns/a.cc": "#include <unbound.h>\n#include <unbound-event.h>\n"},
     None),
    ("unbound elsewhere", {"common/dane/a.cc": "#include <unbound.h>\n"}, "common/dane/a.cc:1: "),
    ("OpenSSL", {f"common/{folder}/a.cc": "#include <openssl/ssl.h>\n"
                 for folder in ("http", "smtp", "dkim")}, None),
    ("OpenSSL elsewhere", {"common/verdict/a.cc": "#include <openssl/ssl.h>\n"},
     "common/verdict/a.cc:1: "),
    ("OpenSSL in a plugin", {"plugins/haraka/a.cc": "#include <openssl/ssl.h>\n"},
     "plugins/haraka/a.cc:1: "),
    ("SQLite in store", {"common/store/a.cc": "#include <sqlite3.h>\n"}, None),
    ("SQLite elsewhere", {"plugins/cli/a.cc": "#include <sqlite3.h>\n"}, "plugins/cli/a.cc:1: "),
    ("jansson", {f"{folder}/a.cc": "#include <jansson.h>\n"
                 for folder in ("common/tlsrpt", "common/verdict", "common/service",
                                "common/client", "plugins/opensmtpd")}, None),
    ("jansson elsewhere", {"common/mta_sts/a.cc": "#include <jansson.h>\n"},
     "common/mta_sts/a.cc:1: "),
    ("jansson in a header", {"common/tlsrpt/a.h": "#include <jansson.h>\n"},
     "common/tlsrpt/a.h:1: "),
    ("libcurl in reporting", {"common/reporting/a.cc": "#include <curl/curl.h>\n"}, None),
    ("libcurl elsewhere", {"common/http/a.cc": "#include <curl/curl.h>\n"},
     "common/http/a.cc:1: "),
    ("libmilter in its plugin", {"plugins/milter/a.cc": "#include <libmilter/mfapi.h>\n"}, None),
    ("libmilter elsewhere", {"plugins/exim/a.cc": "#include <libmilter/mfapi.h>\n"},
     "plugins/exim/a.cc:1: "),
    ("test library", {"common/base/a.cc": "#include <gtest/gtest.h>\n"}, "common/base/a.cc:1: "),
]


def self_check():
    failures = 0
    for name, files, want in SELF_CHECK:
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            count, problems = check(root)
        if want is None:
            is_right = problems == []
        else:
            is_right = len(problems) == 1 and problems[0].startswith(want)
        if count != len(files) or not is_right:
            failures += 1
            print(f"self-check {name!r}: want {want}, got {problems}")
    print(f"{len(SELF_CHECK) - failures} of {len(SELF_CHECK)} self-checks passed")
    return failures == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--root", help="source tree to check")
    group.add_argument("--self-check", action="store_true", help="check the rules themselves")
    arguments = parser.parse_args()
    if arguments.self_check:
        return 0 if self_check() else 1
    count, problems = check(arguments.root)
    for problem in problems:
        print(problem)
    print(f"{count} files, {len(problems)} problems")
    return 1 if problems or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
