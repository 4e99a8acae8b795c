#!/bin/sh
# Makes the clips of this directory anew: ffmpeg, oggenc and VLC write them, each with its own habits.
# The tests depend on no figure that another version of these programs would change.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quiet="ffmpeg -hide_banner -loglevel error -y"
tone="-f lavfi -i sine=frequency=440:sample_rate=22050:duration=5"
exact="-map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact"
picture="-f lavfi -i testsrc=size=64x48:rate=10:duration=5"

# many small pages: five or so per second
$quiet $tone $exact -metadata title="Tone" -metadata artist="Siné" -metadata album="Clips" \
    -c:a libvorbis -q:a -1 -page_duration 200000 vorbis.ogg
$quiet $tone $exact -metadata title="Opus tone" -c:a libopus -application lowdelay -b:a 12k -page_duration 200000 opus.opus
$quiet $tone $exact -metadata title="FLAC tone" -ar 8000 -sample_fmt s16 -c:a flac -page_duration 200000 flac.oga
$quiet $tone $exact -metadata title="Speech" -ar 8000 -c:a libspeex -page_duration 200000 speex.spx

# a key frame every second, which begins a page
$quiet $picture $tone $exact -metadata title="Picture" -c:v libtheora -g 10 -q:v 1 -c:a libvorbis -q:a -1 theora.ogv

$quiet $picture $tone $exact -c:v libtheora -g 10 -q:v 1 -ar 8000 -sample_fmt s16 -c:a flac theora-flac.ogv

# libogg's own pages: full ones of 4 kB, the last packet cut short
$quiet $tone -ac 2 "$work/tone.wav"
oggenc -Q --serial 7 -q 2 -t "Wave" -a "Oscillator" -o oggenc.ogg "$work/tone.wav"

# VLC: Skeleton, and key frames in the middle of pages
$quiet -f lavfi -i testsrc2=size=64x48:rate=10:duration=6,noise=alls=40:allf=t $tone $exact -metadata title="From VLC" \
    -c:v libtheora -g 10 -q:v 3 -c:a libvorbis -q:a -1 "$work/theora.ogv"
chmod 777 "$work"
vlc="cvlc -I dummy --sout-ogg-indexintvl=0 $work/theora.ogv --sout #std{access=file,mux=ogg,dst=$work/vlc.ogv}"
if [ "$(id -u)" = 0 ]; then vlc="runuser -u nobody -- $vlc"; fi
HOME=$work $vlc vlc://quit >"$work/log" 2>&1
cp "$work/vlc.ogv" vlc.ogv

# two songs, one after the other
$quiet -f lavfi -i sine=frequency=880:sample_rate=22050:duration=2 $exact -serial_offset 5 -metadata title="Second" \
    -c:a libvorbis -q:a -1 -page_duration 200000 "$work/second.ogg"
cat vorbis.ogg "$work/second.ogg" >chain.ogg
