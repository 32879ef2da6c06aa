#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Encodes test pictures with the module's bitstream code, on the build machine, and decodes them with ffmpeg: no message may
# come, every picture must be bit by bit what the encoder thinks it is, and a padded stream must have the rate that was set.
# Needs cc and ffmpeg. Says nothing when all is well.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

"${CC:-cc}" -O2 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=all -o check \
	"$here/check.c" "$here/rate.c" "$here/h264.c" "$here/picture.c" "$here/tile.c" "$here/cavlc.c"

seconds=3 fps=25

# picture FORMAT SIZE FILTER: raw frames of moving shapes, to the file raw.
picture() {
	ffmpeg -v error -y -f lavfi -i "testsrc2=size=$2:rate=$fps$3" -t $seconds -pix_fmt "$1" -f rawvideo raw
}

# encode LAYOUT SIZE BITRATE PADDING
encode() {
	if ! ./check "$1" "${2%x*}" "${2#*x}" "$3" $fps 20 "$4" shown <raw >stream.h264 2>log; then
		echo "$*: the encoder failed:"
		tail -n 3 log
		exit 1
	fi
	ffmpeg -v error -y -i stream.h264 -f rawvideo -pix_fmt yuv420p decoded 2>messages
	if [ -s messages ] || ! cmp decoded shown; then
		echo "$*: not decoded as encoded:"
		cat messages
		exit 1
	fi
}

# rate BITRATE: the last stream's size is within 3 percent of it.
rate() {
	want=$(($1 / 8 * seconds)) got=$(wc -c <stream.h264)
	if [ $((got * 100)) -lt $((want * 97)) ] || [ $((got * 100)) -gt $((want * 103)) ]; then
		echo "$got bytes instead of $want"
		exit 1
	fi
}

for size in 640x480 322x182 1280x720; do
	for format in yuv420p:i420 nv12:nv12 yuyv422:yuyv; do
		picture "${format%:*}" $size ""
		for padding in none filler sei; do
			encode "${format#*:}" $size 4000000 $padding
			[ $padding = none ] || rate 4000000
		done
	done
done

# Every coarseness, and blocks that clip.
picture yuyv422 322x182 ",noise=alls=100:allf=t"
for bitrate in 100000 300000 700000 1000000 1500000 9000000; do
	encode yuyv 322x182 $bitrate none
done
