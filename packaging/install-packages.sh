# install-packages.sh - installs Debian packages from lists, only those that are missing.
#
# Use, from a POSIX shell with `set -u`:
#   . packaging/install-packages.sh
#   install_packages packaging/build-packages.txt [LIST...]
# Lists hold one name a line; `#` begins a comment. When nothing is missing, neither the network nor
# root is needed. No service is started: while packages are installed, policy-rc.d forbids it, unless
# the machine has a policy of its own, which stays as it is.
# Status: 0 all are installed; 1 they could not be, with the reason on standard error.
# shellcheck shell=sh

install_packages_policy=/usr/sbin/policy-rc.d
install_packages_mark="installed by strictmx/packaging/install-packages.sh, removed when it ends"

# missing_packages LIST...: names of the packages that are not installed, one a line.
missing_packages() {
  sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@" | sort -u | while read -r name; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) || status=
    [ "$status" = installed ] || echo "$name"
  done
}

# The guard of an earlier run that was killed has our mark and is taken over.
forbid_services() {
  if [ -e "$install_packages_policy" ] &&
    ! grep -q "$install_packages_mark" "$install_packages_policy"; then
    return 0
  fi
  printf '#!/bin/sh\n# %s\nexit 101\n' "$install_packages_mark" >"$install_packages_policy"
  chmod 755 "$install_packages_policy"
}

allow_services() {
  if [ -e "$install_packages_policy" ] &&
    grep -q "$install_packages_mark" "$install_packages_policy"; then
    rm -f "$install_packages_policy"
  fi
}

# In a subshell, so that its trap and environment are its own.
install_packages() (
  if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "install-packages: this is no Debian system; install what these files name: $*" >&2
    exit 1
  fi
  missing=$(missing_packages "$@" | tr '\n' ' ')
  [ -n "$missing" ] || exit 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "install-packages: Debian packages are missing. As root:" >&2
    echo "  apt-get install --no-install-recommends $missing" >&2
    exit 1
  fi
  echo "Installing Debian packages: $missing"
  export DEBIAN_FRONTEND=noninteractive
  trap allow_services EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  forbid_services
  # Another apt, such as the daily upgrade, may hold the lock for a while.
  set -- -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3
  # Old package lists may do, so a failed update is no failure yet.
  apt-get "$@" update </dev/null ||
    echo "install-packages: apt-get update failed; trying with the lists that are here" >&2
  # The names hold no blanks.
  # shellcheck disable=SC2086
  apt-get "$@" -y --no-install-recommends install $missing </dev/null || {
    echo "install-packages: apt-get could not install: $missing" >&2
    exit 1
  }
)
