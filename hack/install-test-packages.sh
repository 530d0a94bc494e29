#!/usr/bin/env bash
# Installs the Debian packages that a test needs and that are not there yet:  hack/install-test-packages.sh prometheus shellcheck
# What a package would start as a service stays stopped: tests start what they need themselves, and stop it.
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: ${0##*/} PACKAGE..." >&2; exit 2; }
command -v dpkg-query >/dev/null || { echo "${0##*/}: not a Debian system; install these by hand: $*" >&2; exit 1; }

missing=()
for package in "$@"; do
  status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)

# invoke-rc.d asks policy-rc.d whether a freshly installed service may start; 101 means no. One that is there is left alone.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod 755 "$policy"
  trap '"${sudo[@]}" rm -f "$policy"' EXIT
fi

log=$(mktemp)
install() { "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1; }
echo "installing ${missing[*]}" >&2
if ! install; then
  "${sudo[@]}" apt-get update >>"$log" 2>&1 || true
  install || { tail -5 "$log" >&2; rm -f "$log"; exit 1; }
fi
rm -f "$log"
