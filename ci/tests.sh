#!/usr/bin/env bash
# Builds every test and runs the test programs JOBS at a time (2): most of them wait for streams more than they compute.
# What a program says is shown when it has ended, so that nothing is mixed up.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export work

# One program in its package's folder, as cargo runs it.
one() {
  local program folder name log
  IFS=$'\t' read -r program folder <<<"$1"
  name=$(basename "$folder")/$(basename "$program" | sed 's/-[0-9a-f]*$//')
  log=$work/${name//\//_}.log
  cd "$folder"
  local begun=$SECONDS status=0
  CARGO_MANIFEST_DIR=$folder "$program" >"$log" 2>&1 || status=$?
  { echo "     Running $name: $((SECONDS - begun)) s"; cat "$log"; } >"$log.whole"
  flock "$work/lock" cat "$log.whole"
  [ "$status" -eq 0 ] || echo "$name" >>"$work/failed"
}
export -f one

${CARGO:-cargo} test --workspace --locked --no-run --message-format=json-render-diagnostics >"$work/built.json"
jq -r 'select(.reason == "compiler-artifact" and .profile.test and .executable)
  | [.executable, (.manifest_path | rtrimstr("/Cargo.toml"))] | @tsv' "$work/built.json" >"$work/programs"
touch "$work/lock"
xargs -a "$work/programs" -d '\n' -n 1 -P "${JOBS:-2}" bash -c 'one "$1"' one
${CARGO:-cargo} test --workspace --locked --doc --quiet
if [ -s "$work/failed" ]; then
  # once more what went wrong, where it is found: at the end
  while read -r name; do
    echo "---- $name"
    grep -E -A 3 "panicked at|^Error: |\.\.\. FAILED" "$work/${name//\//_}.log" | head -60
  done <"$work/failed" >&2
  echo "failed: $(tr '\n' ' ' <"$work/failed")" >&2
  exit 1
fi
