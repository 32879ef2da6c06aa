// SPDX-License-Identifier: GPL-2.0
/*
 * The means of a macroblock's blocks. Eight pixels are added at a time, in the 16-bit
 * lanes of a 64-bit word: this is where an encoder without hardware spends its time.
 */
#include "h264.h"

#define EVEN_BYTES 0x00ff00ff00ff00ffULL

static u64 even(u64 v)
{
	return v & EVEN_BYTES;
}

static u64 odd(u64 v)
{
	return v >> 8 & EVEN_BYTES;
}

static u32 lane(u64 sums, u32 i)
{
	return sums >> (16 * i) & 0xffff;
}

/* Two 4x4 blocks of a plane beside each other. */
static void pair_4x4(u8 out[2], const u8 *p, u32 stride)
{
	u64 sums = 0;
	u32 i;

	for (i = 0; i < 4; i++, p += stride) {
		u64 v = get_unaligned_le64(p);

		sums += even(v) + odd(v);
	}
	out[0] = (lane(sums, 0) + lane(sums, 1) + 8) / 16;
	out[1] = (lane(sums, 2) + lane(sums, 3) + 8) / 16;
}

/* One 4x4 block of interleaved CbCr. */
static void interleaved_4x4(u8 *cb, u8 *cr, const u8 *p, u32 stride)
{
	u64 u = 0, v = 0;
	u32 i;

	for (i = 0; i < 4; i++, p += stride) {
		u64 row = get_unaligned_le64(p);

		u += even(row);
		v += odd(row);
	}
	*cb = (lane(u, 0) + lane(u, 1) + lane(u, 2) + lane(u, 3) + 8) / 16;
	*cr = (lane(v, 0) + lane(v, 1) + lane(v, 2) + lane(v, 3) + 8) / 16;
}

/* 8x8 pixels of Y Cb Y Cr: four luma blocks, one colour. */
static void packed_8x8(struct h264_tile *t, u32 x, u32 y, const u8 *p, u32 stride)
{
	u64 luma[4] = { 0 }, colour = 0;
	u32 i, k;

	for (i = 0; i < 8; i++, p += stride) {
		for (k = 0; k < 2; k++) {
			u64 v = get_unaligned_le64(p + 8 * k);

			luma[i / 4 * 2 + k] += even(v);
			colour += odd(v);
		}
	}
	for (k = 0; k < 4; k++) {
		u64 s = luma[k];
		u32 at = (2 * y + k / 2) * 4 + 2 * x + k % 2;

		t->luma[at] = (lane(s, 0) + lane(s, 1) + lane(s, 2) + lane(s, 3) + 8) / 16;
	}
	t->chroma[0][2 * y + x] = (lane(colour, 0) + lane(colour, 2) + 16) / 32;
	t->chroma[1][2 * y + x] = (lane(colour, 1) + lane(colour, 3) + 16) / 32;
}

static void load_packed(struct h264_tile *t, const u8 *p, u32 stride)
{
	u32 x, y;

	for (y = 0; y < 2; y++)
		for (x = 0; x < 2; x++)
			packed_8x8(t, x, y, p + 8 * y * stride + 16 * x, stride);
}

static void load_luma(struct h264_tile *t, const u8 *p, u32 stride)
{
	u32 i;

	for (i = 0; i < 4; i++) {
		pair_4x4(t->luma + 4 * i, p + 4 * i * stride, stride);
		pair_4x4(t->luma + 4 * i + 2, p + 4 * i * stride + 8, stride);
	}
}

/* A macroblock that lies wholly inside the picture. */
static void load_whole(struct h264_tile *t, const struct h264_source *src, u32 x, u32 y)
{
	const u8 *luma = src->luma + (size_t)y * src->luma_stride;
	size_t chroma = (size_t)y / 2 * src->chroma_stride;
	u32 i;

	switch (src->layout) {
	case H264_PACKED:
		load_packed(t, luma + 2 * x, src->luma_stride);
		return;
	case H264_SEMIPLANAR:
		load_luma(t, luma + x, src->luma_stride);
		for (i = 0; i < 4; i++)
			interleaved_4x4(&t->chroma[0][i], &t->chroma[1][i],
					src->cb + chroma + i / 2 * 4 * src->chroma_stride +
					x + i % 2 * 8, src->chroma_stride);
		return;
	case H264_PLANAR:
		load_luma(t, luma + x, src->luma_stride);
		for (i = 0; i < 2; i++) {
			const u8 *p = (i ? src->cr : src->cb) + chroma + x / 2;

			pair_4x4(t->chroma[i], p, src->chroma_stride);
			pair_4x4(t->chroma[i] + 2, p + 4 * src->chroma_stride,
				 src->chroma_stride);
		}
		return;
	}
}

static u8 luma_at(const struct h264_source *src, u32 x, u32 y)
{
	x = min(x, src->width - 1);
	y = min(y, src->height - 1);
	return src->luma[(size_t)y * src->luma_stride + (src->layout == H264_PACKED ? 2 * x : x)];
}

/* x and y in pixels, both even. */
static u8 chroma_at(const struct h264_source *src, u32 i, u32 x, u32 y)
{
	x = min(x, src->width - 2) / 2;
	y = min(y, src->height - 2);
	if (src->layout == H264_PACKED)
		return src->luma[(size_t)y * src->luma_stride + 4 * x + 1 + 2 * i];
	y /= 2;
	if (src->layout == H264_SEMIPLANAR)
		return src->cb[(size_t)y * src->chroma_stride + 2 * x + i];
	return (i ? src->cr : src->cb)[(size_t)y * src->chroma_stride + x];
}

/* A macroblock over the right or lower edge: the last pixels are repeated. */
static void load_edge(struct h264_tile *t, const struct h264_source *src, u32 x, u32 y)
{
	u8 luma[16 * 16], chroma[2][8 * 8];
	struct h264_source padded = {
		.layout = H264_PLANAR,
		.luma = luma, .cb = chroma[0], .cr = chroma[1],
		.luma_stride = 16, .chroma_stride = 8,
	};
	u32 i;

	for (i = 0; i < 256; i++)
		luma[i] = luma_at(src, x + i % 16, y + i / 16);
	for (i = 0; i < 64; i++) {
		chroma[0][i] = chroma_at(src, 0, x + i % 8 * 2, y + i / 8 * 2);
		chroma[1][i] = chroma_at(src, 1, x + i % 8 * 2, y + i / 8 * 2);
	}
	load_whole(t, &padded, 0, 0);
}

void h264_load_tile(struct h264_tile *t, const struct h264_source *src, u32 mb_x, u32 mb_y)
{
	u32 x = 16 * mb_x, y = 16 * mb_y;

	if (x + 16 <= src->width && y + 16 <= src->height)
		load_whole(t, src, x, y);
	else
		load_edge(t, src, x, y);
}
