#!/usr/bin/env bash
# Checks every shell script of the repository. Where shellcheck is missing it says so and passes: .ci/run installs
# it, a contributor's machine may do without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t scripts < <(git ls-files --cached --others --exclude-standard | while read -r file; do
  if [[ -f $file && $(head -c 64 "$file" | head -n 1 | tr -d '\0') =~ ^\#!.*(bash|/sh) ]]; then echo "$file"; fi
done)
if ! command -v shellcheck >/dev/null; then
  echo "lint: shellcheck is not installed (Debian: apt-get install shellcheck); ${#scripts[@]} scripts were not checked" >&2
  exit 0
fi
shellcheck "${scripts[@]}"
echo "lint: ${#scripts[@]} scripts are clean"
