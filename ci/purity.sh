#!/usr/bin/env bash
# Dependency policy: each crate imports only from the layers below, pure crates stay pure, no crate needs a
# system package or cmake, and the licences are ones that we may ship.
set -euo pipefail
cd "$(dirname "$0")/.."
tree() { cargo tree --locked --edges normal --prefix none --format '{p}' "$@" | awk '{print $1}' | sort -u; }
fail=0
complain() { echo "policy: $*" >&2; fail=1; }

# crate: which of ours it may import
allowed() {
  case $1 in
    levada-media | levada-link | levada-channel) echo ;;
    levada-codec | levada-rtmp) echo levada-media ;;
    levada-capture) echo levada-media levada-rtmp ;;
    levada-device) echo levada-media levada-codec ;;
    levada-talk) echo levada-media levada-codec levada-link ;;
    levada-swarm) echo levada-media levada-link ;;
    levada-serve) echo levada-media levada-channel levada-link levada-rtmp levada-codec ;;
    levada-lab) echo levada-link levada-capture levada-media levada-rtmp ;;
    levada) echo levada-media levada-link levada-channel levada-codec levada-rtmp levada-device levada-talk \
      levada-swarm levada-capture levada-serve levada-lab ;;
    levada-fuzz) echo levada-media levada-link levada-rtmp levada-serve levada-codec levada-talk levada-swarm levada-capture levada-lab ;;
    *) complain "crate $1 is not in the map" ;;
  esac
}
for manifest in crates/*/Cargo.toml fuzz/Cargo.toml; do
  name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$manifest" | head -n1)
  for import in $(tree -p "$name" --depth 1 | grep '^levada' | grep -vx "$name"); do
    case " $(allowed "$name" | tr '\n' ' ') " in *" $import "*) ;; *) complain "$name must not import $import" ;; esac
  done
  # pure crates: no runtime, no sockets
  case $name in levada-media | levada-codec | levada-rtmp | levada-talk | levada-swarm | levada-capture)
    if tree -p "$name" | grep -qxE 'tokio|mio|socket2|async-std'; then complain "$name is pure but pulls in a runtime"; fi ;;
  esac
done
# nothing that needs cmake, clang or a system library to build
if tree --workspace | grep -xE 'cmake|aws-lc-sys|openssl-sys|bindgen|pkg-config|alsa-sys|libpulse-sys'; then
  complain "a dependency wants cmake, clang or a system package"
fi
# licences that MIT OR Apache-2.0 can ship with
cargo metadata --locked --format-version 1 | python3 -c '
import json, sys
fine = {"MIT","Apache-2.0","BSD-2-Clause","BSD-3-Clause","ISC","Zlib","0BSD","CC0-1.0","Unicode-3.0","MPL-2.0","BSL-1.0",
        "Unlicense","CDLA-Permissive-2.0","Apache-2.0 WITH LLVM-exception","MIT-0","bzip2-1.0.6","WTFPL","NCSA"}
bad = []
for p in json.load(sys.stdin)["packages"]:
    said = (p["license"] or "").replace("/", " OR ").replace("(", " ").replace(")", " ")
    choices = [c.strip() for c in said.split(" OR ")]
    if not any(all(part.strip() in fine for part in c.split(" AND ")) for c in choices):
        bad.append("%s %s: %s" % (p["name"], p["version"], p["license"]))
print("\n".join("policy: licence of " + b for b in bad), file=sys.stderr) if bad else None
sys.exit(bool(bad))' || fail=1
exit $fail
