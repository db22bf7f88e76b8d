#!/usr/bin/env bash
# Sets everything up from a bare clone and opens Gen2 Studio on the bundled sample project.
# On a machine without a screen it renders that project headless and prints where the film lies.
set -euo pipefail
cd "$(dirname "$0")/.."
. packaging/setup.sh
system_packages
setup .

if [ "$(uname -s)" = Linux ] && [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; then
  exec .venv/bin/python -m gen2studio sample --out "${1:-out/sample.mp4}"
fi
exec .venv/bin/python -m gen2studio --sample
