#!/bin/sh
# A private Asterisk 22 in a git-ignored directory, by debootstrap, the voice that speaks the names of lines of one's
# own, and the SIP tools of the integration tests.
# Needs root on Debian or Ubuntu and its package mirror, once; a second run does nothing and needs no network.
# Without them: one loud line, and the tests that need Asterisk are skipped (CI fails instead).
set -eu
DIR=${1:?usage: bootstrap_asterisk.sh DIRECTORY}
STAMP="$DIR/etc/hotline-bootstrap-complete"
SUITE=${HOTLINE_ASTERISK_SUITE:-forky}

say() { printf '==> %s\n' "$*"; }
without() { printf '!!! NO ASTERISK: %s. Integration tests against Asterisk will be SKIPPED.\n' "$*" >&2; exit 0; }

need=
for tool in sipp:sip-tester espeak-ng:espeak-ng debootstrap:debootstrap unshare:util-linux; do
  command -v "${tool%%:*}" >/dev/null 2>&1 || need="$need ${tool##*:}"
done
[ -f "$STAMP" ] && [ -z "$need" ] && exit 0

[ "$(id -u)" = 0 ] || without "bootstrapping one needs root"
command -v apt-get >/dev/null 2>&1 || without "bootstrapping one needs apt (Debian or Ubuntu)"
if [ -n "$need" ]; then
  say "installing$need"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $need; } \
    >/dev/null 2>&1 || without "could not install$need"
fi
[ -f "$STAMP" ] && exit 0

MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
[ -n "$MIRROR" ] || { apt-get update -q >/dev/null 2>&1; \
  MIRROR=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1); }
[ -n "$MIRROR" ] || without "apt knows no mirror"
say "bootstrapping the Asterisk of Debian $SUITE into $DIR (about a minute, 500 MB, once)"
rm -rf "$DIR.partial"
mkdir -p "$(dirname "$DIR")"
{ while sleep 10; do echo "    $(du -sm "$DIR.partial" 2>/dev/null | cut -f1 || true) of about 500 MB"; done; } & beat=$!
trap 'kill $beat 2>/dev/null || true' EXIT
# The suite's own script may be missing from an older debootstrap; sid's is the same.
if ! debootstrap --variant=minbase --include=asterisk "$SUITE" "$DIR.partial" "$MIRROR" \
     /usr/share/debootstrap/scripts/sid >"$DIR.log" 2>&1; then
  tail -n 5 "$DIR.log" >&2
  without "debootstrap failed (see $DIR.log)"
fi
rm -rf "$DIR"
mv "$DIR.partial" "$DIR"
chroot "$DIR" /usr/sbin/asterisk -V
touch "$STAMP"
