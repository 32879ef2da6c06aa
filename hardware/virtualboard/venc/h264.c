// SPDX-License-Identifier: GPL-2.0
/* Everything around the macroblocks: parameter sets, SEI messages, padding. */
#include "h264.h"

#define NAL_SEI 0x06
#define NAL_SPS 0x67
#define NAL_PPS 0x68
#define NAL_FILLER 0x0c

#define SEI_USER_DATA 5		/* user_data_unregistered, D.1.7 */

/* ASCII instead of a random UUID, so that a person with a hex dump sees whose it is. */
static const u8 stamp_uuid[16] = "bril-venc-stamp1";
static const u8 padding_uuid[16] = "bril-venc-padded";

size_t h264_mosaic_size(u32 width, u32 height)
{
	return (size_t)DIV_ROUND_UP(width, 16) * DIV_ROUND_UP(height, 16) * (16 + 4 + 4);
}

void h264_setup(struct h264_encoder *e, u32 width, u32 height, void *mosaic)
{
	u32 mbs;

	e->width = width;
	e->height = height;
	e->mb_width = DIV_ROUND_UP(width, 16);
	e->mb_height = DIV_ROUND_UP(height, 16);
	e->frame_num = 0;
	mbs = e->mb_width * e->mb_height;
	e->shown.luma = mosaic;
	e->shown.chroma[0] = e->shown.luma + 16 * mbs;
	e->shown.chroma[1] = e->shown.chroma[0] + 4 * mbs;
}

/* 7.3.2.1.1. The stream is constrained baseline, whatever profile it is labelled with. */
static void put_sps(struct h264_encoder *e, struct bits *b)
{
	bool cropped = e->width % 16 || e->height % 16;

	nal_start(b, NAL_SPS);
	put(b, 8, e->profile_idc);
	put(b, 8, e->profile_idc == 66 ? 0xc0 : e->profile_idc == 77 ? 0x40 : 0);
	put(b, 8, e->level_idc);
	put_ue(b, 0);			/* seq_parameter_set_id */
	if (e->profile_idc == 100) {
		put_ue(b, 1);		/* chroma_format_idc: 4:2:0 */
		put_ue(b, 0);		/* bit_depth_luma_minus8 */
		put_ue(b, 0);		/* bit_depth_chroma_minus8 */
		put(b, 2, 0);		/* no transform bypass, no scaling matrix */
	}
	put_ue(b, 0);			/* log2_max_frame_num_minus4 */
	put_ue(b, 2);			/* pic_order_cnt_type: output order is decoding order */
	put_ue(b, 1);			/* max_num_ref_frames */
	put(b, 1, 0);			/* no gaps in frame_num */
	put_ue(b, e->mb_width - 1);
	put_ue(b, e->mb_height - 1);
	put(b, 2, 3);			/* frame_mbs_only, direct_8x8_inference */
	put(b, 1, cropped);
	if (cropped) {
		put_ue(b, 0);
		put_ue(b, (e->mb_width * 16 - e->width) / 2);
		put_ue(b, 0);
		put_ue(b, (e->mb_height * 16 - e->height) / 2);
	}
	put(b, 1, 0);			/* no VUI */
	nal_end(b);
}

/* 7.3.2.2 */
static void put_pps(struct bits *b)
{
	nal_start(b, NAL_PPS);
	put_ue(b, 0);			/* pic_parameter_set_id */
	put_ue(b, 0);			/* seq_parameter_set_id */
	put(b, 2, 0);			/* CAVLC, no bottom field order */
	put_ue(b, 0);			/* num_slice_groups_minus1 */
	put_ue(b, 0);			/* num_ref_idx_l0_default_active_minus1 */
	put_ue(b, 0);			/* num_ref_idx_l1_default_active_minus1 */
	put(b, 3, 0);			/* no weighted prediction */
	put_se(b, 0);			/* pic_init_qp_minus26 */
	put_se(b, 0);			/* pic_init_qs_minus26 */
	put_se(b, -6);			/* chroma_qp_index_offset, also in picture.c */
	put(b, 3, 4);			/* deblocking control present */
	nal_end(b);
}

void h264_put_headers(struct h264_encoder *e, struct bits *b)
{
	put_sps(e, b);
	put_pps(b);
}

static void put_sei_start(struct bits *b, u32 size, const u8 uuid[16])
{
	u32 i;

	nal_start(b, NAL_SEI);
	put(b, 8, SEI_USER_DATA);
	for (i = size; i >= 255; i -= 255)
		put(b, 8, 255);
	put(b, 8, i);
	for (i = 0; i < 16; i++)
		put(b, 8, uuid[i]);
}

void h264_put_sei(struct bits *b, u64 timestamp, u32 counter, u32 bitrate)
{
	put_sei_start(b, 16 + 16, stamp_uuid);
	put(b, 32, timestamp >> 32);
	put(b, 32, timestamp);
	put(b, 32, counter);
	put(b, 32, bitrate);
	nal_end(b);
}

/* Raw 0xff bytes: they need no emulation prevention. */
static void put_ones(struct bits *b, u32 n)
{
	if (n > b->end - b->p) {
		b->overflow = true;
		return;
	}
	memset(b->p, 0xff, n);
	b->p += n;
	b->zeros = 0;
}

void h264_put_filler(struct bits *b, u32 size)
{
	if (size < 6)
		return;
	nal_start(b, NAL_FILLER);
	put_ones(b, size - 6);
	nal_end(b);
}

void h264_put_sei_padding(struct bits *b, u32 size)
{
	u32 fixed = 5 + 1 + 1 + 16 + 1;	/* NAL start, type, size, UUID, trailing bits */
	u32 payload;

	if (size < fixed)
		return;
	/* Every 255 bytes of payload cost one more byte of size. */
	payload = 16 + (size - fixed) - (size - fixed + 16) / 256;
	put_sei_start(b, payload, padding_uuid);
	put_ones(b, payload - 16);
	nal_end(b);
}
