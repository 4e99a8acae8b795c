#!/bin/sh
# Makes the clips beside it from synthetic pictures and tones, with Debian 12's ffmpeg. The clips are committed;
# run this only to change them.
set -eu
cd "$(dirname "$0")"

make() { # make FILE ARGUMENTS…: input 0 is the tone, input 1 the picture; bit-exact, so a second run changes nothing
  file=$1; shift
  ffmpeg -v warning -y -f lavfi -i "$tone" -f lavfi -i "$picture" "$@" \
    -fflags +bitexact -flags:v +bitexact -flags:a +bitexact "$file"
}
picture=testsrc2=size=96x54:rate=15:duration=3
noise='0.3*sin(330*2*PI*t)*(0.6+0.4*sin(9*t))+0.2*random(0)*gt(mod(t\,1)\,0.8)'

title="-metadata title=Synthétique -metadata artist=Levada"

tone="aevalsrc=$noise:s=44100:d=3"
make mpa/cbr.mp3 -map 0 -c:a libmp3lame -b:a 64k -metadata title=Synthétique -metadata artist=Levada
make mpa/vbr.mp3 -map 0 -c:a libmp3lame -q:a 6 -write_id3v1 1 -id3v2_version 3 $title
make mpa/layer2.mp3 -map 0 -c:a mp2 -b:a 64k -f mp2
make mpa/shine.mp3 -map 0 -c:a libshine -b:a 48k -write_xing 0 -id3v2_version 0
make adts/lc.aac -map 0 -c:a aac -b:a 48k
tone="aevalsrc=$noise:s=22050:d=3"
make mpa/half.mp3 -map 0 -c:a libmp3lame -b:a 32k

tone=sine=330:beep_factor=4:sample_rate=48000:duration=3
make webm/vp8-opus.webm -map 1 -map 0 -c:v libvpx -b:v 40k -g 15 -deadline good -cpu-used 4 \
  -c:a libopus -b:a 16k $title
make webm/vp9.webm -map 1 -c:v libvpx-vp9 -b:v 40k -g 20 -deadline good -cpu-used 4 -f webm -dash 0
make webm/live.webm -map 1 -map 0 -c:v libvpx -b:v 40k -g 15 -deadline realtime -cpu-used 8 \
  -c:a libvorbis -b:a 32k -live 1 -cluster_time_limit 400 $title
# through a pipe ffmpeg cannot go back, so Segment and Clusters are of unknown size
make pipe: -map 1 -map 0 -c:v libvpx -b:v 40k -g 15 -deadline realtime -cpu-used 8 \
  -c:a libopus -b:a 16k -live 1 -f webm >webm/unknown.webm
make webm/opus.webm -map 0 -c:a libopus -b:a 24k -cluster_time_limit 500
make webm/h264-aac.mkv -map 1 -map 0 -c:v libx264 -preset slow -b:v 40k -g 15 -bf 2 -c:a aac -b:a 24k
make webm/av1.mkv -map 1 -c:v libaom-av1 -cpu-used 8 -b:v 30k -g 15 -lag-in-frames 0 -cluster_time_limit 1000
make ts/h264-aac.ts -map 1 -map 0 -c:v libx264 -preset slow -b:v 40k -g 15 -bf 2 -c:a aac -b:a 24k
make ts/h265.ts -map 1 -c:v libx265 -preset fast -b:v 40k -x265-params log-level=warning:keyint=15:info=0
make ts/mpeg2-mp2.ts -map 1 -map 0 -c:v mpeg2video -r 25 -b:v 60k -g 12 -bf 2 -c:a mp2 -ac 1 -b:a 32k
make ts/mp2.ts -map 0 -c:a mp2 -ac 1 -b:a 32k
make flv/h264-aac.flv -map 1 -map 0 -c:v libx264 -preset slow -b:v 40k -g 15 -bf 2 -c:a aac -b:a 24k -ar 44100 $title
make flv/mp3.flv -map 0 -c:a libmp3lame -ar 44100 -ac 1 -b:a 32k
