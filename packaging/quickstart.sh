#!/bin/sh
# quickstart.sh - from a fresh clone on Debian 12 to a strictmxd that answers, in one command.
#
#   sh packaging/quickstart.sh [DOMAIN]   start (again) and ask about DOMAIN (default gmail.com)
#   sh packaging/quickstart.sh --stop     stop what an earlier run started
#
# Installs the packages that are missing (root is needed only then), builds what is not up to date,
# stops the strictmxd of an earlier run, starts strictmxd on 127.0.0.1:8461, asks it, and says which
# line main.cf needs. All that it writes is below build/quick; /etc and /var are not touched.
# Exit status: 0 strictmxd runs and has answered; 64 usage; 69 not started, or no answer; 71 packages
# or build; 75 the port is in use by another program.
set -eu
umask 022

default_domain=gmail.com
port=8461
admin_port=8462
# The daemon itself takes 10 seconds at most to finish what it answers.
stop_seconds=15
ready_seconds=30

source=$(cd "$(dirname "$0")/.." && pwd -P)
build=$source/build/quick
run=$build/run
log=$run/strictmxd.log
pid_file=$run/strictmxd.pid
config=$run/strictmx.toml

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
complain() { printf 'quickstart: %s\n' "$*" >&2; }

usage() {
  say "usage: sh packaging/quickstart.sh [DOMAIN]   start (again) and ask about DOMAIN" \
    "(default $default_domain)"
  say "       sh packaging/quickstart.sh --stop     stop what an earlier run started"
}

# Prints the pid of the strictmxd that an earlier run started, if it still runs. A pid alone proves
# nothing: it may be another program's by now. A rebuilt program shows as "(deleted)".
running_daemon() {
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  case $pid in
    '' | *[!0-9]*) return 1 ;;
  esac
  case $(readlink "/proc/$pid/exe" 2>/dev/null) in
    "$build/strictmxd" | "$build/strictmxd (deleted)") echo "$pid" ;;
    *) return 1 ;;
  esac
}

stop_daemon() {
  old=$(running_daemon) || return 0
  kill -TERM "$old" || return 1
  tenths=0
  while [ "$(running_daemon)" = "$old" ]; do
    if [ "$tenths" -ge $((stop_seconds * 10)) ]; then
      complain "strictmxd (pid $old) does not end, it is killed"
      kill -KILL "$old"
      tenths=0
    fi
    sleep 0.1
    tenths=$((tenths + 1))
  done
  rm -f "$pid_file"
  say "strictmxd of an earlier run (pid $old) has been stopped."
}

# Does any program listen where 127.0.0.1:PORT would be? State 0A is LISTEN (proc_pid_net(5)).
port_is_taken() {
  hexadecimal=$(printf '%04X' "$1")
  cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$hexadecimal" '
    $4 == "0A" && $2 ~ ("^(0100007F|7F000001|0+|0+FFFF00000100007F|0+FFFF7F000001):" port "$") {
      found = 1
    }
    END { exit !found }'
}

refuse_taken_port() {
  complain "127.0.0.1:$port is in use by another program (who: 'ss -ltnp sport = :$port')."
  complain "Stop that program and run this again. If it is a strictmxd or another policy daemon that"
  complain "Postfix uses already, Postfix defers mail while it is stopped."
  exit 75
}

# As root in somebody else's checkout everything but the packages is done as the owner, so that the
# owner can build and start it later. In a checkout owned by root strictmxd stays root: the user it
# would become otherwise, nobody, may not reach this folder. An installed strictmxd has a user of its
# own.
become_owner() {
  [ "$(id -u)" -eq 0 ] || return 0
  owner=$(stat -c %u "$source")
  group=$(stat -c %g "$source")
  [ "$owner" -ne 0 ] || return 0
  if setpriv --reuid="$owner" --regid="$group" --clear-groups test -w "$source"; then
    exec setpriv --reuid="$owner" --regid="$group" --clear-groups \
      sh "$source/packaging/quickstart.sh" "$@"
  fi
  complain "uid $owner owns $source but can't write there; going on as root"
}

# ninja configures again when a CMakeLists.txt has changed, but does not watch the presets, and would
# go on with the old sources when the folder was moved or copied.
is_configured() {
  [ -e "$build/build.ninja" ] &&
    grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source" "$build/CMakeCache.txt" &&
    [ -z "$(find "$source/CMakePresets.json" -newer "$build/build.ninja")" ]
}

build_programs() {
  is_configured || (cd "$source" && cmake --fresh --preset quick) || return 1
  cmake --build "$build" --target strictmxd strictmx
}

toml_text() { printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g')"; }

# Nobody has to write a configuration: strictmxd needs none. This one only moves sockets and store
# from /run and /var/lib into the build folder, and keeps a strictmx.toml in /etc out of the way.
write_config() {
  admin=127.0.0.1:$admin_port
  if port_is_taken "$admin_port"; then
    say "127.0.0.1:$admin_port is in use by another program: no /metrics this time."
    admin=
  fi
  rm -f "$config"
  cat >"$config" <<END
# Written by packaging/quickstart.sh at each start.
user = "root"  # only looked at when started as root

[listen]
socketmap = ["127.0.0.1:$port", $(toml_text "unix:$run/strictmx.sock")]
results = [$(toml_text "unix:$run/tlsrpt.sock")]
control = $(toml_text "unix:$run/control.sock")
admin = "$admin"

[client]
server = $(toml_text "unix:$run/strictmx.sock")
control = $(toml_text "unix:$run/control.sock")

[store]
path = $(toml_text "$run/strictmx.db")
END
}

strictmx() { "$build/strictmx" --config "$config" "$@"; }

show_log() {
  say "The last lines of $log:"
  tail -n 15 "$log" | sed 's/^/  /'
}

start_daemon() {
  mkdir -p "$run"
  write_config
  [ ! -e "$log" ] || mv -f "$log" "$log.1"
  # A session of its own, and none of our descriptors: it outlives this script and its terminal.
  setsid "$build/strictmxd" --config "$config" </dev/null >"$log" 2>&1 &
  daemon=$!
  echo "$daemon" >"$pid_file"
  tenths=0
  until timeout 5 "$build/strictmx" --config "$config" policies list >/dev/null 2>&1; do
    # At first the pid is still that of setsid.
    if [ "$tenths" -gt 10 ] && [ -z "$(running_daemon)" ]; then
      status=0
      wait "$daemon" || status=$?
      rm -f "$pid_file"
      complain "strictmxd has ended (status $status)."
      show_log >&2
      ! port_is_taken "$port" || refuse_taken_port
      exit 69
    fi
    if [ "$tenths" -ge $((ready_seconds * 10)) ]; then
      complain "strictmxd is not ready after $ready_seconds seconds."
      show_log >&2
      exit 69
    fi
    sleep 0.1
    tenths=$((tenths + 1))
  done
}

# What the answer means, in words.
judge_answer() {
  case $1 in
    *'"failure"'*'"result-type"'*)
      say "DNS works: $domain has an MTA-STS record, but its policy could not be had (see the reason" \
        "above). Mail to it goes on as without MTA-STS."
      ;;
    *'"failure"'*)
      say "DNS is out of reach from here, or its name servers fail for $domain (see the reason" \
        "above)."
      say "strictmxd uses the name servers of /etc/resolv.conf; mail goes on as without MTA-STS."
      ;;
    *'"mode": "enforce"'* | *'"mode":"enforce"'*)
      say "$domain has an MTA-STS policy in mode enforce: Postfix is told to deliver only over" \
        "verified TLS to the MX hosts it names."
      ;;
    *'"policy": "sts"'* | *'"policy":"sts"'*)
      say "$domain has an MTA-STS policy that is not enforced: mail is delivered as usual."
      ;;
    *)
      # Name servers that know nothing of the Internet say of every name that it does not exist.
      if timeout 15 getent hosts "$default_domain" >/dev/null; then
        say "DNS says that $domain publishes no MTA-STS policy: mail is delivered as usual."
      else
        say "DNS is out of reach from here: the name servers of /etc/resolv.conf don't even know" \
          "$default_domain. So the answer above tells nothing about $domain."
      fi
      ;;
  esac
}

ask() {
  step "Asking about $domain"
  query_status=0
  verdict=$(strictmx query --json "$domain" 2>&1) || query_status=$?
  say "$verdict"
  answer=$(strictmx query "$domain" 2>&1) || :
  say "Postfix is told: $answer"
  say
  case $query_status,$verdict in
    0,* | *'"failure"'*) judge_answer "$verdict" ;;
    *TEMP* | *timeout* | *"timed out"*)
      say "No answer came in time: DNS is out of reach from here, or very slow."
      ;;
    *)
      complain "strictmxd gave no answer about $domain (status $query_status)."
      show_log >&2
      return 1
      ;;
  esac
}

say_how_to_go_on() {
  step "strictmxd runs (pid $daemon). Postfix needs one line in main.cf, then 'postfix reload':"
  say
  say "    smtp_tls_policy_maps = socketmap:inet:127.0.0.1:$port:postfix"
  say
  say "Exactly what this site needs, merged with what it has (CA file, Postfix version, other maps):"
  say "    $build/strictmx --config $config setup postfix"
  say "Ask again:    $build/strictmx --config $config query $domain"
  say "Step by step: $build/strictmx --config $config explain $domain"
  # strictmx takes no configuration file from another user, not even as root.
  [ "$(id -u)" -eq 0 ] ||
    say "              (as user $(id -un 2>/dev/null || id -u), who owns this folder)"
  say "Log:          $log"
  say "Stop it:      sh $source/packaging/quickstart.sh --stop     (or: kill $daemon)"
  say "Take the line out of main.cf before stopping it: Postfix defers mail while nobody answers there."
}

domain=$default_domain
case $# in
  0) ;;
  1)
    case $1 in
      --stop) domain= ;;
      --help | -h)
        usage
        exit 0
        ;;
      '' | -*)
        complain "'$1' is neither an option nor a domain."
        usage >&2
        exit 64
        ;;
      *) domain=$1 ;;
    esac
    ;;
  *)
    usage >&2
    exit 64
    ;;
esac

if [ -z "$domain" ]; then
  if ! running_daemon >/dev/null; then
    say "No strictmxd of this quick start is running."
    exit 0
  fi
  stop_daemon
  exit 0
fi

running_daemon >/dev/null || ! port_is_taken "$port" || refuse_taken_port

# shellcheck source=packaging/install-packages.sh
. "$source/packaging/install-packages.sh"
step "Packages"
install_packages "$source/packaging/build-packages.txt" || exit 71
say "All packages are installed."
become_owner "$@"

step "Building strictmxd and strictmx (a few minutes the first time)"
build_programs || {
  complain "the build failed, see above; a strictmxd of an earlier run was left as it is"
  exit 71
}

step "Starting strictmxd on 127.0.0.1:$port"
stop_daemon
start_daemon
say "strictmxd is ready."
status=0
ask || status=69
say_how_to_go_on
exit "$status"
