// SPDX-License-Identifier: GPL-2.0
/*
 * Runs the bitstream code on the build machine, without a kernel:
 *
 *   cc -O2 -Wall -Wextra -fsanitize=address,undefined -o check \
 *      check.c rate.c h264.c picture.c tile.c cavlc.c
 *   check LAYOUT WIDTH HEIGHT BITRATE FPS GOP PADDING SHOWN <raw frames >stream.h264
 *
 * LAYOUT is i420, nv12 or yuyv, PADDING none, filler or sei. SHOWN is a file for the
 * i420 frames that a decoder must arrive at, bit by bit. check.sh does that comparison.
 */
#include <stdio.h>

#include "h264.h"
#include "rate.h"

static struct h264_source source(const char *layout, u8 *raw, u32 w, u32 h)
{
	struct h264_source s = { .width = w, .height = h, .luma = raw, .luma_stride = w };

	if (!strcmp(layout, "yuyv")) {
		s.layout = H264_PACKED;
		s.luma_stride = 2 * w;
	} else if (!strcmp(layout, "nv12")) {
		s.layout = H264_SEMIPLANAR;
		s.cb = raw + w * h;
		s.chroma_stride = w;
	} else {
		s.layout = H264_PLANAR;
		s.cb = raw + w * h;
		s.cr = s.cb + w * h / 4;
		s.chroma_stride = w / 2;
	}
	return s;
}

static void write_plane(FILE *f, const u8 *shown, u32 stride, u32 w, u32 h)
{
	u32 x, y;

	for (y = 0; y < h; y++)
		for (x = 0; x < w; x++)
			fputc(shown[y / 4 * stride + x / 4], f);
}

static void write_shown(FILE *f, const struct h264_encoder *e)
{
	write_plane(f, e->shown.luma, 4 * e->mb_width, e->width, e->height);
	write_plane(f, e->shown.chroma[0], 2 * e->mb_width, e->width / 2, e->height / 2);
	write_plane(f, e->shown.chroma[1], 2 * e->mb_width, e->width / 2, e->height / 2);
}

static void encode(struct h264_encoder *e, struct rate *r, struct bits *b,
		   const struct h264_source *s, bool key, u32 frame, const char *padding,
		   u32 bitrate)
{
	static u32 owed;
	u32 before;

	if (key)
		h264_put_headers(e, b);
	before = bits_len(b);
	h264_put_sei_padding(b, owed);
	before = bits_len(b) - before;
	h264_put_sei(b, frame * 40000000ULL, frame, bitrate);
	h264_put_picture(e, b, s, key, r->qp, r->freeze);
	owed = rate_spend(r, bits_len(b) - before, strcmp(padding, "none"), b->end - b->p);
	if (strcmp(padding, "sei")) {
		h264_put_filler(b, owed);
		owed = 0;
	}
}

int main(int argc, char **argv)
{
	struct h264_encoder e = { .profile_idc = 66, .level_idc = 40 };
	struct rate r;
	u32 w, h, bitrate, fps, gop, frame;
	size_t size, room = 8 << 20;
	u8 *raw, *coded;
	void *mosaic;
	FILE *shown;

	if (argc != 9) {
		fprintf(stderr,
			"usage: check LAYOUT WIDTH HEIGHT BITRATE FPS GOP PADDING SHOWN\n");
		return 2;
	}
	w = atoi(argv[2]);
	h = atoi(argv[3]);
	bitrate = atoi(argv[4]);
	fps = atoi(argv[5]);
	gop = atoi(argv[6]);
	size = strcmp(argv[1], "yuyv") ? w * h * 3 / 2 : w * h * 2;
	raw = malloc(size);
	coded = malloc(room);
	mosaic = malloc(h264_mosaic_size(w, h));
	shown = fopen(argv[8], "wb");
	if (!raw || !coded || !mosaic || !shown)
		return 1;
	h264_setup(&e, w, h, mosaic);
	rate_init(&r);
	for (frame = 0; fread(raw, size, 1, stdin) == 1; frame++) {
		struct h264_source s = source(argv[1], raw, w, h);
		struct bits b;

		bits_init(&b, coded, room);
		rate_frame(&r, bitrate, 1, fps);
		encode(&e, &r, &b, &s, frame % gop == 0, frame, argv[7], bitrate);
		fprintf(stderr, "%u bytes=%zu qp=%u debt=%lld\n", frame, bits_len(&b), r.qp,
			(long long)r.debt);
		if (b.overflow || fwrite(coded, bits_len(&b), 1, stdout) != 1)
			return 1;
		write_shown(shown, &e);
	}
	fclose(shown);
	free(raw);
	free(coded);
	free(mosaic);
	return 0;
}
