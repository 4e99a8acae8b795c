#!/usr/bin/env bash
# Installs the real programs that the tests talk to, once and quietly; as root or by sudo.
set -euo pipefail
packages=(ffmpeg iperf3 iputils-ping icecast2 vlc-bin vlc-plugin-base vlc-plugin-access-extra ices2 ezstream liquidsoap mpv curl
  iproute2 nftables chromium chromium-driver espeak-ng sox lame vorbis-tools tshark tcpdump jq python3 rtmpdump pulseaudio nginx libnginx-mod-rtmp
  gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  sudo -n true 2>/dev/null || { echo "the tests need: ${missing[*]} (install them, or allow sudo)" >&2; exit 1; }
  as_root=(sudo)
fi
log=$(mktemp)
if ! { "${as_root[@]}" apt-get update -qq && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
  cat "$log" >&2
  echo "could not install: ${missing[*]}" >&2
  exit 1
fi
rm -f "$log"
echo "installed: ${missing[*]}"
