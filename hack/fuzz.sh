#!/usr/bin/env bash
# Runs every fuzz target of the repository for the given time, one after the other: `go test -fuzz` takes one at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
time=${1:-10s}

found=0
while IFS=: read -r file target; do
  found=$((found + 1))
  echo "fuzz: $target in $(dirname "$file") for $time"
  go test -short -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")"
done < <(git grep --untracked -hoP --with-filename '^func \KFuzz\w+' -- '*_test.go')
echo "fuzz: $found targets ran"
