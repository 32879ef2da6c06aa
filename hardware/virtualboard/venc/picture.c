// SPDX-License-Identifier: GPL-2.0
/*
 * Slice data. Each macroblock is Intra 16x16 with DC prediction and DC coefficients
 * only, or skipped. Then every decoded 4x4 block is flat, prediction is a mean of a
 * few bytes, all residual blocks have nC == 0, and an emulated core keeps up.
 */
#include "h264.h"

#define NAL_IDR 0x65
#define NAL_P 0x41

#define CHROMA_QP_OFFSET (-6)	/* as in the picture parameter set */

static const u8 zigzag[16] = { 0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15 };

/* Table 8-15: QPc for qPI from 30 on. */
static const u8 chroma_qp_high[22] = {
	29, 30, 31, 32, 32, 33, 34, 34, 35, 35, 36, 36, 37, 37, 37, 38, 38, 38, 39, 39, 39, 39,
};

/* LevelScale4x4(m, 0, 0) with flat scaling, 8.5.9. */
static const u16 level_scale[6] = { 160, 176, 208, 224, 256, 288 };

/* What one picture's macroblocks share. */
struct slice {
	struct h264_encoder *e;
	struct bits *b;
	bool key;
	u32 qp, qpc;
	u32 luma_step;		/* a level's weight in a DC value, in 64ths of a pixel */
	u32 chroma_step;
	s32 threshold;		/* a block this close to what is shown is left as it is */
	u32 skipped;		/* mb_skip_run */
};

struct neighbours {
	const u8 *above, *left;	/* NULL outside the picture */
	u32 stride;		/* between values of left */
};

static u32 chroma_qp(u32 qp)
{
	s32 qpi = (s32)qp + CHROMA_QP_OFFSET;

	return qpi < 30 ? qpi : chroma_qp_high[qpi - 30];
}

static u8 clip(s32 v)
{
	return clamp(v, 0, 255);
}

/* A level is (value << shift) / step, to the nearest with a dead zone of a third. */
static s16 quantize(s32 value, u32 shift, u32 step)
{
	s32 level = (((u32)abs(value) << shift) + step / 3) / step;

	return value < 0 ? -level : level;
}

static void hadamard4(s32 out[16], const s32 in[16])
{
	s32 t[16];
	u32 i;

	for (i = 0; i < 4; i++) {
		const s32 *r = in + 4 * i;
		s32 a = r[0] + r[1], b = r[0] - r[1], c = r[2] + r[3], d = r[2] - r[3];

		t[4 * i] = a + c;
		t[4 * i + 1] = a - c;
		t[4 * i + 2] = b - d;
		t[4 * i + 3] = b + d;
	}
	for (i = 0; i < 4; i++) {
		s32 a = t[i] + t[4 + i], b = t[i] - t[4 + i];
		s32 c = t[8 + i] + t[12 + i], d = t[8 + i] - t[12 + i];

		out[i] = a + c;
		out[4 + i] = a - c;
		out[8 + i] = b - d;
		out[12 + i] = b + d;
	}
}

/* 8.5.10, then the constant 4x4 transform of 8.5.12: what a DC value adds to pixels. */
static s32 luma_offset(s32 f, u32 qp)
{
	s32 scaled = f * level_scale[qp % 6];

	if (qp >= 36)
		scaled *= 1 << (qp / 6 - 6);
	else
		scaled = (scaled + (1 << (5 - qp / 6))) >> (6 - qp / 6);
	return (scaled + 32) >> 6;
}

/* 8.5.11.2 */
static s32 chroma_offset(s32 f, u32 qpc)
{
	return (((f * level_scale[qpc % 6] * (1 << (qpc / 6))) >> 5) + 32) >> 6;
}

/* Intra 16x16 DC prediction, 8.3.3.3: every value stands for four equal pixels. */
static s32 luma_prediction(const struct neighbours *n)
{
	u32 above = 0, left = 0, i;

	for (i = 0; i < 4; i++) {
		above += n->above ? n->above[i] : 0;
		left += n->left ? n->left[i * n->stride] : 0;
	}
	if (n->above && n->left)
		return (above + left + 4) >> 3;
	if (n->above || n->left)
		return (above + left + 2) >> 2;
	return 128;
}

/* Chroma DC prediction, 8.3.4.1, of block x, y in the macroblock. */
static s32 chroma_prediction(const struct neighbours *n, u32 x, u32 y)
{
	bool above = n->above && !(y && !x && n->left);
	bool left = n->left && !(x && !y && n->above);

	if (above && left)
		return (n->above[x] + n->left[y * n->stride] + 1) >> 1;
	if (above)
		return n->above[x];
	if (left)
		return n->left[y * n->stride];
	return 128;
}

static struct neighbours around(const u8 *at, u32 stride, u32 mb_x, u32 mb_y)
{
	return (struct neighbours){
		.above = mb_y ? at - stride : NULL,
		.left = mb_x ? at - 1 : NULL,
		.stride = stride,
	};
}

static void code_luma(struct slice *s, u8 *shown, u32 mb_x, u32 mb_y, const u8 want[16],
		      s16 coeff[16])
{
	u32 stride = 4 * s->e->mb_width, i;
	struct neighbours n = around(shown, stride, mb_x, mb_y);
	s32 pred = luma_prediction(&n);
	s32 d[16], f[16];

	for (i = 0; i < 16; i++)
		d[i] = want[i] - pred;
	hadamard4(f, d);
	for (i = 0; i < 16; i++) {
		coeff[i] = quantize(f[zigzag[i]], 2, s->luma_step);
		d[zigzag[i]] = coeff[i];
	}
	hadamard4(f, d);
	for (i = 0; i < 16; i++)
		shown[i / 4 * stride + i % 4] = clip(pred + luma_offset(f[i], s->qp));
}

static void code_chroma(struct slice *s, u8 *shown, u32 mb_x, u32 mb_y, const u8 want[4],
			s16 coeff[4])
{
	u32 stride = 2 * s->e->mb_width, i;
	struct neighbours n = around(shown, stride, mb_x, mb_y);
	s32 pred[4], d[4], f[4];

	for (i = 0; i < 4; i++) {
		pred[i] = chroma_prediction(&n, i % 2, i / 2);
		d[i] = want[i] - pred[i];
	}
	f[0] = d[0] + d[1] + d[2] + d[3];
	f[1] = d[0] - d[1] + d[2] - d[3];
	f[2] = d[0] + d[1] - d[2] - d[3];
	f[3] = d[0] - d[1] - d[2] + d[3];
	for (i = 0; i < 4; i++)
		coeff[i] = quantize(f[i], 4, s->chroma_step);
	f[0] = coeff[0] + coeff[1] + coeff[2] + coeff[3];
	f[1] = coeff[0] - coeff[1] + coeff[2] - coeff[3];
	f[2] = coeff[0] + coeff[1] - coeff[2] - coeff[3];
	f[3] = coeff[0] - coeff[1] - coeff[2] + coeff[3];
	for (i = 0; i < 4; i++)
		shown[i / 2 * stride + i % 2] = clip(pred[i] + chroma_offset(f[i], s->qpc));
}

static bool nonzero(const s16 coeff[4])
{
	return coeff[0] || coeff[1] || coeff[2] || coeff[3];
}

static void code_macroblock(struct slice *s, u32 mb_x, u32 mb_y, const struct h264_tile *t,
			    u8 *luma, u8 *const chroma[2])
{
	struct bits *b = s->b;
	s16 y[16], c[2][4];
	bool coloured;

	code_luma(s, luma, mb_x, mb_y, t->luma, y);
	code_chroma(s, chroma[0], mb_x, mb_y, t->chroma[0], c[0]);
	code_chroma(s, chroma[1], mb_x, mb_y, t->chroma[1], c[1]);
	coloured = nonzero(c[0]) || nonzero(c[1]);

	if (!s->key) {
		put_ue(b, s->skipped);
		s->skipped = 0;
	}
	/* I_16x16_2_0_0 or I_16x16_2_1_0; in a P slice five types come before (7-13). */
	put_ue(b, (coloured ? 7 : 3) + (s->key ? 0 : 5));
	put_ue(b, 0);		/* intra_chroma_pred_mode: DC */
	put_se(b, 0);		/* mb_qp_delta */
	put_luma_dc(b, y);
	if (coloured) {
		put_chroma_dc(b, c[0]);
		put_chroma_dc(b, c[1]);
	}
}

static bool near(const u8 *shown, u32 stride, const u8 *want, u32 side, s32 threshold)
{
	u32 x, y;

	for (y = 0; y < side; y++)
		for (x = 0; x < side; x++)
			if (abs(shown[y * stride + x] - want[y * side + x]) > threshold)
				return false;
	return true;
}

static void put_macroblock(struct slice *s, const struct h264_source *src, u32 mb_x, u32 mb_y)
{
	u32 w = s->e->mb_width, i;
	u8 *luma = s->e->shown.luma + 4 * (mb_y * 4 * w + mb_x);
	u8 *chroma[2];
	struct h264_tile t;

	for (i = 0; i < 2; i++)
		chroma[i] = s->e->shown.chroma[i] + 2 * (mb_y * 2 * w + mb_x);
	h264_load_tile(&t, src, mb_x, mb_y);
	/* All motion is zero, so a skipped macroblock repeats what is shown (8.4.1.1). */
	if (!s->key && near(luma, 4 * w, t.luma, 4, s->threshold) &&
	    near(chroma[0], 2 * w, t.chroma[0], 2, s->threshold) &&
	    near(chroma[1], 2 * w, t.chroma[1], 2, s->threshold)) {
		s->skipped++;
		return;
	}
	code_macroblock(s, mb_x, mb_y, &t, luma, chroma);
}

/* 7.3.3 */
static void put_slice_header(struct slice *s)
{
	struct h264_encoder *e = s->e;
	struct bits *b = s->b;

	nal_start(b, s->key ? NAL_IDR : NAL_P);
	put_ue(b, 0);			/* first_mb_in_slice */
	put_ue(b, s->key ? 7 : 5);	/* slice_type: all I, all P */
	put_ue(b, 0);			/* pic_parameter_set_id */
	put(b, 4, e->frame_num % 16);
	if (s->key) {
		put_ue(b, e->idr_pic_id % 2);
		put(b, 2, 0);		/* prior pictures are output, no long-term reference */
	} else {
		put(b, 3, 0);		/* no override, no modification, sliding window */
	}
	put_se(b, (s32)s->qp - 26);
	put_ue(b, 1);			/* disable_deblocking_filter_idc */
}

void h264_put_picture(struct h264_encoder *e, struct bits *b, const struct h264_source *src,
		      bool key, u32 qp, bool freeze)
{
	struct slice s = {
		.e = e, .b = b, .key = key,
		.qp = qp,
		.qpc = chroma_qp(qp),
		.threshold = 2 + (qp - H264_QP_MIN) / 3,
	};
	u32 x, y;

	s.luma_step = (level_scale[s.qp % 6] << (s.qp / 6)) >> 6;
	s.chroma_step = (level_scale[s.qpc % 6] << (s.qpc / 6)) >> 5;
	if (key) {
		e->frame_num = 0;
		e->idr_pic_id++;
	}
	put_slice_header(&s);
	if (freeze && !key) {
		s.skipped = e->mb_width * e->mb_height;
	} else {
		for (y = 0; y < e->mb_height; y++)
			for (x = 0; x < e->mb_width; x++)
				put_macroblock(&s, src, x, y);
	}
	if (s.skipped)
		put_ue(b, s.skipped);
	nal_end(b);
	e->frame_num++;
}
