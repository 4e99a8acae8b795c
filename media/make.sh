#!/usr/bin/env bash
# Makes the clips that levada ships, from nothing but ffmpeg's test sources and espeak-ng: eight seconds each, so that
# every tone of a whole number of hertz loops without a click. Run it in any folder; it writes next to itself.
set -euo pipefail
cd "$(dirname "$0")"
seconds=8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { espeak-ng -v "$1" -s "$2" -w "$work/said.wav" "$3"; }
ff() { ffmpeg -nostdin -hide_banner -loglevel error -y "$@"; }
tags() { printf '%s\n' -fflags +bitexact -map_metadata -1 -metadata "artist=levada" -metadata "title=$1" -metadata "album=Synthetic clips"; }

# four chords of two seconds, each swelling and fading
root='220*pow(2,(5*gte(t,2)-7*gte(t,4)+5*gte(t,6)-3*gte(t,6))/12)'
swell='pow(sin(PI*mod(t,2)/2),2)'
voice() { echo "sin(2*PI*floor($root*$1)*t)"; }
sound="0.16*$swell*($(voice 1)+$(voice 1.26)+$(voice 1.5)+0.5*$(voice 2))"
chords="aevalsrc='$sound':s=44100:d=$seconds"
# speech over a quiet tone, cut or padded to the clip's length
over="[0:a]aresample=48000,apad,atrim=0:$seconds,volume=1.2[v];sine=f=110:r=48000:d=$seconds,volume=0.3[t];[v][t]amix=2:duration=first:normalize=0[a]"

mapfile -t t < <(tags "Test card")
say en-gb 150 "This is levada. One source, many listeners. What you hear was made by a machine, for machines and for you."
ff -i "$work/said.wav" -filter_complex "$over;testsrc2=s=320x180:r=25:d=$seconds[p]" -map '[p]' -map '[a]' \
  -c:v libtheora -b:v 110k -g 25 -pix_fmt yuv420p -c:a libvorbis -ac 1 -ar 44100 -b:a 48k -page_duration 200000 \
  "${t[@]}" -f ogg -serial_offset 11 -flags bitexact testcard.ogv

mapfile -t t < <(tags "Fractal")
say en-us 145 "Clusters are short, and a key frame comes every second, so that you may join at any moment."
ff -i "$work/said.wav" -filter_complex "$over;mandelbrot=s=320x180:r=25:end_pts=$((seconds * 25)),trim=0:$seconds[p]" \
  -map '[p]' -map '[a]' -c:v libvpx -b:v 110k -g 25 -deadline good -cpu-used 2 -pix_fmt yuv420p \
  -c:a libopus -ac 1 -b:a 32k "${t[@]}" -cluster_time_limit 240 -flags bitexact fractal.webm

mapfile -t t < <(tags "Speech")
say en-gb 155 "Water finds its way along the mountain, metre by metre, to everyone who needs it. So does this sound."
ff -i "$work/said.wav" -filter_complex "$over" -map '[a]' -c:a libopus -ac 1 -b:a 48k -page_duration 100000 \
  "${t[@]}" -serial_offset 21 -flags bitexact speech.opus

mapfile -t t < <(tags "Chords in Vorbis")
ff -f lavfi -i "$chords" -c:a libvorbis -ar 44100 -ac 2 -q:a 1 -page_duration 200000 \
  "${t[@]}" -serial_offset 31 -flags bitexact chords.ogg

mapfile -t t < <(tags "Chords in MP3")
ff -f lavfi -i "$chords" -c:a libmp3lame -ar 44100 -ac 1 -b:a 64k -write_xing 0 -id3v2_version 4 "${t[@]}" chords.mp3

mapfile -t t < <(tags "Speech in AAC")
say en-us 150 "These are frames of A A C, each with a header of seven bytes, and you may begin at any of them."
ff -i "$work/said.wav" -filter_complex "$over" -map '[a]' -c:a aac -ar 44100 -ac 1 -b:a 48k -write_id3v2 1 "${t[@]}" -f adts speech.aac

# h264 NAME SIZE BITRATE PRESET BFRAMES: the test card in H.264 with AAC, a key picture every two seconds
h264() {
  ff -i "$work/said.wav" -filter_complex "$over;testsrc2=s=$2:r=25:d=$seconds[p]" -map '[p]' -map '[a]' \
    -c:v libx264 -preset "$4" -profile:v main -b:v "$3k" -maxrate "$(($3 * 6 / 5))k" -bufsize "$(($3 * 6 / 5))k" \
    -g 50 -keyint_min 50 -sc_threshold 0 -bf "$5" -pix_fmt yuv420p -threads 1 -c:a aac -ac 1 -ar 44100 -b:a 48k \
    "${t[@]}" -f flv -flags +bitexact+cgop "$1"
}

mapfile -t t < <(tags "Test card in H.264")
say en-gb 150 "This is levada in seven hundred and twenty lines. Publish once, and everyone watches with what they have."
h264 testcard.flv 1280x720 420 veryslow 0 # WebRTC can carry this one

mapfile -t t < <(tags "Test card in H.264, 1080 lines")
say en-gb 150 "This is levada in a thousand and eighty lines. Publish once, and everyone watches with what they have."
h264 testcard-1080.flv 1920x1080 560 medium 3
