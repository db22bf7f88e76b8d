#!/usr/bin/env bash
# Shared by start.sh and test.sh: a virtual environment in .venv with the locked packages, and what Qt needs from the
# system. Call from the checkout's top with the pip extras to install, for example: setup .[dev]
set -euo pipefail

find_python() {
  for name in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 || continue
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  echo "Python 3.11, 3.12 or 3.13 with venv is needed. On Debian or Ubuntu: sudo apt-get install python3 python3-venv" >&2
  return 1
}

# Installs what Qt needs on Debian and Ubuntu when it may; otherwise prints the exact line.
system_packages() {
  [ "$(uname -s)" = Linux ] || return 0
  command -v dpkg-query >/dev/null 2>&1 || return 0
  local missing=()
  for package in $(cat packaging/linux-packages.txt) "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && continue
    # Debian 13 and Ubuntu 24.04 renamed some packages with a t64 suffix.
    dpkg-query -W -f='${Status}' "${package}t64" 2>/dev/null | grep -q 'ok installed' && continue
    missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then as_root=(sudo -n); else
      echo "Qt needs system packages. Please run, then start again if the window does not open:" >&2
      echo "  sudo apt-get install ${missing[*]}" >&2
      return 0
    fi
  fi
  echo "Installing system packages: ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

setup() {
  local what=$1 stamp python
  python=$(find_python)
  stamp=$(cat pyproject.toml packaging/constraints.txt <(echo "$what") | cksum | tr ' ' -)
  if [ ! -x .venv/bin/python ]; then "$python" -m venv .venv; fi
  if [ ! -f ".venv/stamp-$stamp" ]; then
    echo "Installing the locked packages into .venv (once)…" >&2
    # pip would compile fifteen thousand modules one by one: on all cores, beside the kernels, that costs no time.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
      -c packaging/constraints.txt -e "$what"
    .venv/bin/python -m compileall -q -j 0 .venv/lib >/dev/null 2>&1 &
    local compiling=$!
    echo "Compiling the generator's kernels (once)…" >&2
    .venv/bin/python -m gen2studio.example.warm
    # Some packages bring files of other Python versions along, which nothing imports.
    wait "$compiling" || true
    rm -f .venv/stamp-*
    touch ".venv/stamp-$stamp"
  fi
}
