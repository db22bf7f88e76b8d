#!/usr/bin/env bash
# Sets everything up from a bare clone and runs every check: style, types, import rules, tests.
# Arguments go to pytest: packaging/test.sh tests/media -k seek
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/setup.sh
system_packages
setup ".[dev]"

export QT_QPA_PLATFORM=offscreen
if [ $# -eq 0 ]; then
  .venv/bin/ruff check .
  .venv/bin/ruff format --check --quiet .
  .venv/bin/lint-imports --no-cache
  .venv/bin/pyright --pythonpath .venv/bin/python
fi
exec .venv/bin/python -m pytest "$@"
