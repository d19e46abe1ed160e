#!/bin/sh
# run.sh - everything that is tested, from a fresh clone on Debian 12, as root, without a terminal.
#
#   sh tests/run.sh [--full] [--only STAGE]... [--jobs N]
#   sh tests/run.sh --list
#
# Installs what is missing, then runs the stages below one after another; a stage that fails does not
# stop the others. Each stage's output is in build/test-logs, its tail is shown when it fails. Last
# come a table and the line `N passed, N failed, N skipped`; the exit status is 1 when anything failed.
# Compilations go through ccache, in CCACHE_DIR (default /var/cache/ccache for root).
# Every step has a time limit; none reads standard input.
set -u
umask 022

# name, in --full only?, what it does
stage_list() {
  cat <<'END'
packages   default  installs the Debian packages that are missing
format     default  clang-format on all source files, shellcheck on all shell scripts
release    default  GCC, Release: build of everything, unit tests, fuzz seeds, include direction
asan       default  Clang with AddressSanitizer and UndefinedBehaviorSanitizer: the same
tidy       default  clang-tidy on common and plugins, what was found clean once is not looked at again
fuzz       default  each fuzz target for 10 seconds (--full: a minute)
interop    default  strictmxd (Release) and real mail servers (--full: every version)
tsan       full     Clang with ThreadSanitizer: unit tests, the interop tests with many clients
valgrind   full     unit tests of the Release build under valgrind
interop-asan  full  the interop tests with the sanitizers' build
bench      full     the benchmark, small, to see that it works
quickstart full     packaging/quickstart.sh twice and --stop, in a network namespace of its own
END
}

# Time limits in seconds of one step, about five times what it takes on two free cores.
build_seconds=3600
ctest_seconds=900
tidy_seconds=3600
interop_seconds=2400
bench_seconds=1800
short_seconds=600
# A single test that hangs must not use up the limit of all.
one_test_seconds=300
heartbeat_seconds=60
tail_lines=60

usage() {
  echo "usage: sh tests/run.sh [--full] [--only STAGE]... [--jobs N] | --list"
}

cd "$(dirname "$0")/.." || exit 1
root=$(pwd -P)
jobs=$(nproc)
is_full=no
only=
while [ $# -gt 0 ]; do
  case $1 in
    --full) is_full=yes ;;
    --only)
      [ $# -ge 2 ] || { usage >&2; exit 64; }
      stage_list | grep -q "^$2 " || { echo "run.sh: no stage $2, see --list" >&2; exit 64; }
      only="$only $2"
      shift
      ;;
    --jobs)
      [ $# -ge 2 ] || { usage >&2; exit 64; }
      jobs=$2
      shift
      ;;
    --list)
      stage_list
      exit 0
      ;;
    --help | -h)
      usage
      exit 0
      ;;
    *)
      usage >&2
      exit 64
      ;;
  esac
  shift
done
case $jobs in
  '' | 0 | *[!0-9]*) usage >&2; exit 64 ;;
esac

# Tests that have a longer form take it.
[ "$is_full" = no ] || export STRICTMX_TEST_FULL=1

logs=$root/build/test-logs
mkdir -p "$logs"
rm -f "$logs"/*.log "$logs"/*.xml "$logs"/*.status
summary=$logs/summary.txt
: >"$summary"
# Fuzz inputs found by earlier runs are kept here; crashes are in the logs' folder.
corpus=$root/build/fuzz-corpus

export LC_ALL=C.UTF-8
export CTEST_PARALLEL_LEVEL="$jobs"
export PYTHONDONTWRITEBYTECODE=1
if [ "$(id -u)" -eq 0 ]; then
  : "${CCACHE_DIR:=/var/cache/ccache}"
  export CCACHE_DIR
fi
# The sanitizers look for the symbolizer under its unversioned name.
symbolizer=/usr/lib/llvm-14/bin/llvm-symbolizer
if [ -x "$symbolizer" ]; then
  export ASAN_SYMBOLIZER_PATH="$symbolizer" UBSAN_SYMBOLIZER_PATH="$symbolizer"
  export TSAN_OPTIONS="external_symbolizer_path=$symbolizer ${TSAN_OPTIONS:-}"
fi
export UBSAN_OPTIONS="print_stacktrace=1 ${UBSAN_OPTIONS:-}"
# Debian's Python, for which the Debian packages are; another may come first in PATH.
python=/usr/bin/python3

total_passed=0
total_failed=0
total_skipped=0
child=
trap 'stop_child; exit 130' INT
trap 'stop_child; exit 143' TERM HUP
stop_child() {
  [ -z "$child" ] || kill -TERM "$child" 2>/dev/null
}

is_wanted() {
  if [ -n "$only" ]; then
    case " $only " in *" $1 "*) return 0 ;; *) return 1 ;; esac
  fi
  [ "$is_full" = yes ] || stage_list | grep -q "^$1 *default "
}

# Seconds of CPU that everything run so far has used; on a busy machine it tells more than the time.
# `times` must run in this shell, not in the subshell of a $(...).
cpu_of_children() {
  sed -n '2s/[ms]/ /gp' "$logs/times.txt" | awk '{ printf "%d", $1 * 60 + $2 + $3 * 60 + $4 }'
}

begin_stage() {
  stage=$1
  stage_passed=0
  stage_failed=0
  stage_skipped=0
  stage_started=$(date +%s)
  times >"$logs/times.txt"
  stage_cpu=$(cpu_of_children)
}

end_stage() {
  stage_seconds=$(($(date +%s) - stage_started))
  times >"$logs/times.txt"
  stage_cpu=$(($(cpu_of_children) - stage_cpu))
  printf '%-13s %7d %7d %7d %6d:%02d %6d:%02d\n' "$stage" \
    "$stage_passed" "$stage_failed" "$stage_skipped" $((stage_seconds / 60)) \
    $((stage_seconds % 60)) $((stage_cpu / 60)) $((stage_cpu % 60)) >>"$summary"
  total_passed=$((total_passed + stage_passed))
  total_failed=$((total_failed + stage_failed))
  total_skipped=$((total_skipped + stage_skipped))
}

# count PASSED FAILED SKIPPED
count() {
  stage_passed=$((stage_passed + $1))
  stage_failed=$((stage_failed + $2))
  stage_skipped=$((stage_skipped + $3))
}

# run NAME SECONDS COMMAND...: into its log, within the limit; says how it went, counts nothing.
# `timeout` gives the command a process group and ends all of it. The command's end shows in a file,
# because a shell can't ask for a child's end without waiting for it.
run() {
  run_name=$1
  run_limit=$2
  shift 2
  run_log=$logs/$stage-$run_name.log
  run_started=$(date +%s)
  printf '== %s: %s\n' "$stage" "$run_name"
  rm -f "$run_log.status"
  {
    run_code=0
    timeout -k 30 "$run_limit" "$@" </dev/null >"$run_log" 2>&1 &
    child=$!
    trap 'kill -TERM "$child" 2>/dev/null' TERM
    wait "$child" || run_code=$?
    echo "$run_code" >"$run_log.status"
  } &
  child=$!
  run_next=$heartbeat_seconds
  while [ ! -s "$run_log.status" ]; do
    sleep 0.5
    run_seconds=$(($(date +%s) - run_started))
    if [ "$run_seconds" -ge "$run_next" ]; then
      printf '   %d s: %s\n' "$run_seconds" "$(tail -n 1 "$run_log" | cut -c 1-100)"
      run_next=$((run_next + heartbeat_seconds))
    fi
    [ "$run_seconds" -le $((run_limit + 60)) ] || break
  done
  # It has ended, unless it is beyond its limit by far; asking for its end adds its CPU time to ours.
  [ ! -s "$run_log.status" ] || wait "$child"
  child=
  run_code=$(cat "$run_log.status" 2>/dev/null) || run_code=124
  rm -f "$run_log.status"
  run_seconds=$(($(date +%s) - run_started))
  if [ "$run_code" -eq 0 ]; then
    printf '   ok, %d s\n' "$run_seconds"
    return 0
  fi
  case $run_code in
    124 | 137) printf '   FAIL: not done after %d s\n' "$run_limit" ;;
    *) printf '   FAIL: status %s after %d s\n' "$run_code" "$run_seconds" ;;
  esac
  printf '   the end of %s:\n' "$run_log"
  tail -n "$tail_lines" "$run_log" | sed 's/^/   | /'
  return 1
}

# check NAME SECONDS COMMAND...: a run that counts as one.
check() {
  if run "$@"; then
    count 1 0 0
  else
    count 0 1 0
    return 1
  fi
}

# A run that ends with the line `N passed, N failed, N skipped`, which is counted.
check_counted() {
  counted_status=0
  run "$@" || counted_status=1
  counted=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$run_log" | tail -n 1 |
    sed 's/[^0-9 ]//g')
  if [ -z "$counted" ]; then
    count 0 1 0
    return 1
  fi
  # Three numbers.
  # shellcheck disable=SC2086
  count $counted
  printf '   %s\n' "$(tail -n 1 "$run_log")"
  grep -E '^skip ' "$run_log" | sed 's/^/   /' | head -n 20
  # Failed without a failed test: the run itself.
  # shellcheck disable=SC2086
  [ "$counted_status" -eq 0 ] || [ "$(echo $counted | cut -d ' ' -f 2)" -gt 0 ] || count 0 1 0
  return "$counted_status"
}

# build PRESET [TARGET...]
build() {
  preset=$1
  shift
  [ $# -eq 0 ] || set -- --target "$@"
  check "configure-$preset" "$short_seconds" cmake --preset "$preset" \
    -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache &&
    check "build-$preset" "$build_seconds" cmake --build "build/$preset" -j "$jobs" "$@"
}

# xml_number NAME FILE: an attribute of the report's first element.
xml_number() {
  sed -n "s/^.*[[:space:]]$1=\"\([0-9]*\)\".*$/\1/p; /<testcase/q" "$2" | head -n 1
}

unit_tests() {
  report=$logs/$stage-ctest.xml
  ctest_status=0
  run ctest "$ctest_seconds" ctest --test-dir "build/$1" --output-on-failure --no-tests=error \
    --timeout "$one_test_seconds" --output-junit "$report" || ctest_status=1
  if [ ! -s "$report" ]; then
    count 0 1 0
    return
  fi
  tests=$(xml_number tests "$report")
  failed=$(xml_number failures "$report")
  skipped=$(($(xml_number skipped "$report") + $(xml_number disabled "$report")))
  # The report calls a test without its program skipped; it is a failure.
  absent=$(grep -c 'message="Unable to find executable"' "$report")
  skipped=$((skipped - absent))
  failed=$((failed + absent))
  [ "$ctest_status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  count $((tests - failed - skipped)) "$failed" "$skipped"
  printf '   %d tests\n' "$tests"
}

# Files of the project: what git tracks, and what is new and not ignored. A tree without git is
# searched.
source_files() {
  if ! git -c safe.directory="$root" ls-files -co --exclude-standard -- "$@" 2>/dev/null; then
    for pattern in "$@"; do
      find . -path ./build -prune -o -type f -name "$(basename "$pattern")" -print
    done
  fi | sort -u | while read -r file; do
    [ ! -f "$file" ] || printf '%s\n' "$file"
  done
}

# check_files NAME PATTERNS COMMAND...: one check of all files that match.
check_files() {
  files_name=$1
  # Patterns, one a word.
  # shellcheck disable=SC2086
  (set -f && source_files $2) >"$logs/$files_name-files.txt"
  files=$logs/$files_name-files.txt
  shift 2
  # shellcheck disable=SC2016
  check "$files_name" "$short_seconds" sh -c '
    files=$1
    shift
    test -s "$files" && xargs -d "\n" "$@" <"$files"' sh "$files" "$@"
}

# Each tests/fuzz/fuzz_NAME.cc is a target of that name (tests/fuzz/CMakeLists.txt).
fuzz_targets() {
  for source in tests/fuzz/fuzz_*.cc; do basename "$source" .cc; done
}

fuzz_one() {
  target=$1
  seconds=$2
  mkdir -p "$corpus/$target"
  set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$logs/$target-"
  [ ! -f "tests/fuzz/dictionaries/$target.dict" ] ||
    set -- "$@" -dict="tests/fuzz/dictionaries/$target.dict"
  # The limit: reading a large corpus comes before the time is counted.
  if check "$target" $((seconds + 300)) "build/fuzz/$target" "$@" "$corpus/$target" \
    "tests/fuzz/seeds/$target"; then
    sed -n 's/^stat::number_of_executed_units: */   executions: /p' "$run_log"
  fi
}

need_build() {
  [ -x "build/$1/strictmxd" ] || build "$1"
}

# --- stages

stage_packages() {
  # The interop tests and the benchmark say themselves what they miss, and skip.
  check build "$build_seconds" sh -c '
    . packaging/install-packages.sh
    install_packages packaging/build-packages.txt tests/packages.txt' &&
    check servers "$build_seconds" sh -c '
      . packaging/install-packages.sh
      install_packages tests/interop/packages.txt tests/bench/packages.txt'
}

stage_format() {
  check_files clang-format '*.cc *.h *.c' clang-format-14 --dry-run -Werror
  check_files shellcheck '*.sh .ci/run' shellcheck -x
}

stage_release() {
  build release && unit_tests release
}

stage_asan() {
  build asan && unit_tests asan
}

stage_tidy() {
  [ -f build/asan/compile_commands.json ] || build asan
  # About ten seconds of CPU a file: the programs always, the tests' own code with --full.
  set -- common plugins
  [ "$is_full" = no ] || set -- "$@" tests
  check_counted clang-tidy "$tidy_seconds" "$python" tests/tidy.py --build build/asan \
    --cache build/tidy-cache --jobs "$jobs" "$@"
}

stage_fuzz() {
  # Not the programs: they take as long to build as all targets, and nothing here runs them.
  # shellcheck disable=SC2046
  build fuzz $(fuzz_targets) || return
  seconds=10
  [ "$is_full" = no ] || seconds=60
  for target in $(fuzz_targets); do
    fuzz_one "$target" "$seconds"
  done
}

interop() {
  build_name=$1
  shift
  check_counted "interop" "$interop_seconds" "$python" tests/interop/run.py \
    --build "build/$build_name" --logs "$logs/$stage" "$@"
}

stage_interop() {
  need_build release && interop release
}

# Some tests bound the memory of the daemon: freed memory must not be held back for long.
stage_interop_asan() {
  need_build asan || return
  ASAN_OPTIONS=quarantine_size_mb=8
  export ASAN_OPTIONS
  interop asan
  unset ASAN_OPTIONS
}

stage_tsan() {
  build tsan || return
  unit_tests tsan
  interop tsan --only '5*'
}

# Left out: programs that can't be run. Under valgrind vfork is fork, so that posix_spawn can't tell.
# Without fair-sched a thread that always has work keeps all others from running.
stage_valgrind() {
  need_build release || return
  GTEST_FILTER=-ChildProcess.WhatCantBeRunIsTold:Sendmail.WhatCantBeRunIsOurOwnTrouble
  export GTEST_FILTER
  for program in build/release/*_test; do
    [ -x "$program" ] || continue
    check "$(basename "$program")" "$ctest_seconds" valgrind --quiet --error-exitcode=99 \
      --fair-sched=yes --leak-check=full --errors-for-leak-kinds=definite,indirect,possible "$program"
  done
  unset GTEST_FILTER
}

stage_bench() {
  need_build release &&
    check bench "$bench_seconds" "$python" tests/bench/run.py --quick --build build/release
}

stage_quickstart() {
  check quickstart "$build_seconds" unshare --net --fork --pid --mount-proc --kill-child sh -eu -c '
    ip link set lo up
    sh packaging/quickstart.sh example.org
    sh packaging/quickstart.sh example.org
    sh packaging/quickstart.sh --stop'
}

# --- all of it

started=$(date +%s)
for name in $(stage_list | cut -d ' ' -f 1); do
  is_wanted "$name" || continue
  begin_stage "$name"
  "stage_$(printf '%s' "$name" | tr - _)"
  end_stage
  if [ "$name" = packages ] && [ "$stage_failed" -gt 0 ] && ! command -v cmake >/dev/null; then
    echo "run.sh: nothing can be built without these packages"
    break
  fi
done

printf '\n%-13s %7s %7s %7s %9s %9s\n' stage passed failed skipped time CPU
cat "$summary"
seconds=$(($(date +%s) - started))
printf 'all: %d:%02d on %d cores; logs: %s\n' $((seconds / 60)) $((seconds % 60)) "$jobs" "$logs"
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ "$total_failed" -eq 0 ]
