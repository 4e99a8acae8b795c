#!/usr/bin/env bash
# Fuzzes each target (or those named) for FOR seconds with libFuzzer and says how far it came. What breaks a promise is
# left in target/fuzz/found, minimised by hand and put into fuzz/corpus/TARGET it is a regression test.
set -euo pipefail
cd "$(dirname "$0")/.."
for=${FOR:-60}
host=$(rustc -vV | sed -n 's/^host: //p')
# what cargo-fuzz sets on a nightly toolchain, less the sanitizers, which stable does not have
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares"
cp Cargo.lock fuzz/engine/Cargo.lock # the product's versions; libFuzzer is added to them
cargo build --quiet --release --manifest-path fuzz/engine/Cargo.toml --target "$host" --target-dir target/fuzz
engine=target/fuzz/$host/release/levada-fuzz-engine
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(LEVADA_FUZZ='' "$engine" 2>&1 | sed -n 's/^  //p')
mkdir -p target/fuzz/found
bad=0
for target in "${targets[@]}"; do
  grown=target/fuzz/grown/$target log=target/fuzz/$target.log
  mkdir -p "$grown"
  if LEVADA_FUZZ=$target "$engine" "$grown" "fuzz/corpus/$target" -max_total_time="$for" -max_len=16384 -timeout=60 \
    -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="target/fuzz/found/$target-" >"$log" 2>&1; then
    awk -v t="$target" '/number_of_executed_units/ {n=$2} /average_exec_per_sec/ {s=$2} /cov: / {for (i=1;i<NF;i++) if ($i=="cov:") c=$(i+1)}
      END {printf "%-18s %10d executions %8d/s %6d edges\n", t, n, s, c}' "$log"
  else
    bad=1
    echo "$target: broke a promise"
    grep -E 'panicked|Test unit written|ERROR: libFuzzer' -A1 "$log" | head -n 8 || true
  fi
done
exit $bad
