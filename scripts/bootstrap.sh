# Sourced by the other scripts, from the checkout's root: puts what they need on this machine.
# shellcheck shell=bash

# The lab's packages and hosts are made of files that others than root have to read.
umask 022
[ -n "${HOME:-}" ] || HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
export HOME

# Debian and Ubuntu packages that the lab's hosts and servers are made with.
LAB_PACKAGES=(
  apt-utils ca-certificates curl debian-archive-keyring dpkg-dev gpg iproute2 mmdebstrap nginx-light
  openssh-client python3 python3-venv systemd-container
)

# Names of the packages that these scripts put on this machine, so that they can be taken off again.
PACKAGES_RECORD="${BOXWRIGHT_PACKAGES_RECORD:-/var/cache/boxwright-lab/packages}"
OWN_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/boxwright"

# need_packages PACKAGE...: installs those that are missing; starts none of their services.
need_packages() {
  local package before missing=()
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "these packages are missing: ${missing[*]}; run this as root, or install them" >&2
    return 1
  fi
  echo "installing ${missing[*]}" >&2
  before=$(_installed)
  _without_starting_services _install "${missing[@]}"
  mkdir -p "${PACKAGES_RECORD%/*}"
  LC_ALL=C comm -13 <(echo "$before") <(_installed) >>"$PACKAGES_RECORD"
}

_installed() {
  # shellcheck disable=SC2016
  dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p' | LC_ALL=C sort -u
}

# remove_packages: takes off what need_packages put on, unless something else has come to need it.
remove_packages() {
  local package ours=() others
  [ -s "$PACKAGES_RECORD" ] || return 0
  while read -r package; do
    _installed | grep -qxF "$package" && ours+=("$package")
  done < <(LC_ALL=C sort -u "$PACKAGES_RECORD")
  [ ${#ours[@]} -gt 0 ] || return 0
  others=$(apt-get -s purge "${ours[@]}" | sed -n 's/^\(Purg\|Remv\) \([^ ]*\).*/\2/p' |
    LC_ALL=C sort -u | grep -vxFf "$PACKAGES_RECORD" | tr '\n' ' ') || true
  if [ -n "$others" ]; then
    echo "the packages stay that were installed for the lab: ${others}would go with them" >&2
    return 0
  fi
  echo "removing ${#ours[@]} packages that were installed for the lab" >&2
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 purge -y "${ours[@]}" >&2
}

_install() {
  local options=(-qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)
  export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
  apt-get "${options[@]}" update >&2
  apt-get "${options[@]}" install -y --no-install-recommends "$@" >&2
}

# The lab runs its own nginx on its own bridge: a system-wide one would only take port 80.
_without_starting_services() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
    "$@" || status=$?
    rm -f "$policy"
    case " $* " in
    *" nginx-light "*) systemctl disable nginx.service >/dev/null 2>&1 || true ;;
    esac
    return "$status"
  fi
  "$@"
}

# What `scripts/lab` needs beside Python's packages.
need_lab_packages() {
  need_packages "${LAB_PACKAGES[@]}"
}

# need_venv: makes .venv as uv.lock says, if it is missing or older than that file.
need_venv() {
  [ .venv/.boxwright-synced -nt uv.lock ] && [ -x .venv/bin/python ] && return 0
  local uv
  uv=$(command -v uv) && "$uv" --version >/dev/null 2>&1 || uv=$(_own_uv)
  UV_CACHE_DIR="$OWN_CACHE/uv-cache" UV_PYTHON_DOWNLOADS=never "$uv" sync --frozen --all-groups \
    --compile-bytecode --quiet
  touch .venv/.boxwright-synced
}

# A uv of our own, in the user's cache, where the machine has none.
_own_uv() {
  local home="$OWN_CACHE/uv"
  if [ ! -x "$home/bin/uv" ]; then
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
      need_packages python3 python3-venv || return 1
    fi
    python3 -m venv "$home" && "$home/bin/pip" install --quiet --no-cache-dir uv || return 1
  fi
  echo "$home/bin/uv"
}
