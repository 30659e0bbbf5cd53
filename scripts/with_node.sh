#!/bin/sh
# Run a command with Node.js: with_node.sh VENV_BIN COMMAND…
# The system's where it is new enough (20.19, 22.12 or newer: what Vite needs), else one from PyPI in the .venv.
set -eu
BIN=${1:?usage: with_node.sh VENV_BIN COMMAND…}
shift

fits() {
  command -v "$1" >/dev/null 2>&1 && "$1" -e '
    const [major, minor] = process.versions.node.split(".").map(Number)
    process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1)'
}

if ! { fits node && command -v npm >/dev/null 2>&1; }; then
  if ! fits "$BIN/node"; then
    echo "==> no Node.js 20.19+ or 22.12+ here: installing one into .venv (about 60 MB, once)"
    "$BIN/python" scripts/install.py requirements-node.lock
  fi
  PATH="$(cd "$BIN" && pwd):$PATH"
  export PATH
fi
exec "$@"
