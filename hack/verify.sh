#!/usr/bin/env bash
# Fails where `make generate` would change, add or remove a file, and where a go.mod is not tidy. Works on a copy, so that
# the tree, with whatever is being edited in it, stays as it is. Run by `make verify`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# What git would commit: the tracked files and the new ones that are not ignored.
git ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do if [[ -e $file ]]; then printf '%s\0' "$file"; fi; done |
  tar --null -cf - -T - | tar -xf - -C "$copy"
mkdir -p bin/tools "$copy/bin"
# The tools come from the module cache and the build cache either way; sharing the folder saves linking them again.
ln -s "$root/bin/tools" "$copy/bin/tools"

cd "$copy"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
git init -q . && git add -A
git -c user.name=verify -c user.email=verify@localhost commit -qm before

echo "verify: make generate"
"$copy/hack/generate.sh" >"$copy.log" 2>&1 || { cat "$copy.log"; rm -f "$copy.log"; exit 1; }
rm -f "$copy.log"
while read -r file; do
  module=$(dirname "$file")
  echo "verify: go mod tidy in $module"
  (cd "$module" && go mod tidy)
done < <(git ls-files -- go.mod '*/go.mod' ':!:*/testdata/*')
git add -A
if ! git diff --cached --stat --exit-code; then
  git --no-pager diff --cached | head -n 200
  echo "verify: the files above differ from what is committed; run \`make generate\` and \`go mod tidy\`" >&2
  exit 1
fi
echo "verify: nothing differs"
