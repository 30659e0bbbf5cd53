#!/bin/sh
# Debian's Chromium for the browser tests, and characters for what it shows. Needs root on Debian or Ubuntu, once.
# Without it: one loud line, and the browser tests are skipped (CI fails instead).
set -eu
without() { printf '!!! NO CHROMIUM: %s. Browser tests will be SKIPPED.\n' "$*" >&2; exit 0; }

if command -v chromium >/dev/null 2>&1 || [ -n "${HOTLINE_TEST_CHROMIUM:-}" ]; then exit 0; fi
[ "$(id -u)" = 0 ] || without "installing it needs root"
command -v apt-get >/dev/null 2>&1 || without "installing it needs apt (Debian or Ubuntu)"
printf '==> installing chromium (about 350 MB, once)\n'
{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
  chromium fonts-noto-cjk libatomic1; } >/dev/null 2>&1 || without "could not install the package chromium"
