/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The encoder proper: constrained baseline H.264 of a mosaic of the picture, one
 * luma value for every 4x4 pixels and one colour for every 8x8.
 */
#ifndef VENC_H264_H
#define VENC_H264_H

#include "cavlc.h"

#define H264_QP_MIN 22
#define H264_QP_MAX 51

/* Bytes that parameter sets and one SEI message never exceed. */
#define H264_HEADERS_MAX 128
#define H264_SEI_MAX 128

enum h264_layout {
	H264_PLANAR,		/* three planes, 4:2:0 */
	H264_SEMIPLANAR,	/* luma, then interleaved CbCr, 4:2:0 */
	H264_PACKED,		/* Y Cb Y Cr, 4:2:2 */
};

/* The visible part of a raw frame. Packed frames have only a luma pointer. */
struct h264_source {
	enum h264_layout layout;
	u32 width, height;
	const u8 *luma, *cb, *cr;
	u32 luma_stride, chroma_stride;
};

/* What the decoder shows, as flat blocks. The encoder predicts from it. */
struct h264_mosaic {
	u8 *luma;	/* 4 x 4 values a macroblock, rows of 4 * mb_width */
	u8 *chroma[2];	/* 2 x 2 values a macroblock, rows of 2 * mb_width */
};

struct h264_encoder {
	u32 width, height;		/* visible, in pixels */
	u32 mb_width, mb_height;	/* coded, in macroblocks */
	u32 profile_idc, level_idc;
	u32 frame_num, idr_pic_id;
	struct h264_mosaic shown;
};

/* Bytes of memory that a mosaic of this size needs. */
size_t h264_mosaic_size(u32 width, u32 height);
void h264_setup(struct h264_encoder *e, u32 width, u32 height, void *mosaic);

/* Each appends NAL units with start codes. */
void h264_put_headers(struct h264_encoder *e, struct bits *b);
void h264_put_sei(struct bits *b, u64 timestamp, u32 counter, u32 bitrate);
void h264_put_picture(struct h264_encoder *e, struct bits *b,
		      const struct h264_source *src, bool key, u32 qp, bool freeze);

/*
 * Padding of exactly size bytes, or none if it cannot be that short: a filler data
 * NAL unit, which goes after the picture, or a SEI message, which packetizers that
 * drop filler still send and which must go before it (7.4.1.2.3).
 */
void h264_put_filler(struct bits *b, u32 size);
void h264_put_sei_padding(struct bits *b, u32 size);

/* One macroblock of the source as a mosaic, picture.c's input. */
struct h264_tile {
	u8 luma[16];
	u8 chroma[2][4];
};

void h264_load_tile(struct h264_tile *t, const struct h264_source *src, u32 mb_x, u32 mb_y);

#endif
