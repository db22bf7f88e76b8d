#!/usr/bin/env bash
# Sets everything up from a bare clone and runs every check: style, types, import rules, tests.
# Arguments go to pytest: packaging/test.sh tests/media -k seek
#
# Without arguments two lanes run side by side: the rules of imports, types and the tests of models and pixels
# in one, all other tests in the other. The split is fixed, so that a run is like any other.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/setup.sh
system_packages
setup ".[dev]"

export QT_QPA_PLATFORM=offscreen
if [ $# -gt 0 ]; then exec .venv/bin/python -m pytest "$@"; fi

# One thread a lane: with two each they would wait for each other. The models of the tests are tiny.
export OMP_NUM_THREADS=1
pixels=(tests/diffusion tests/example tests/models tests/raster tests/segmentation)

second_lane() {
  .venv/bin/lint-imports --no-cache
  .venv/bin/pyright --pythonpath .venv/bin/python
  .venv/bin/python -m pytest "${pixels[@]}"
}

.venv/bin/ruff check .
.venv/bin/ruff format --check --quiet .
told=$(mktemp)
# A job of its own, so that it ends with this script and its children can be interrupted (bash lets others ignore that).
set -m
second_lane >"$told" 2>&1 </dev/null &
second=$!
set +m
trap 'kill -- "-$second" 2>/dev/null || true; rm -f "$told"' EXIT

status=0
.venv/bin/python -m pytest "${pixels[@]/#/--ignore=}" || status=$?
wait "$second" || status=$?
cat "$told"
exit "$status"
