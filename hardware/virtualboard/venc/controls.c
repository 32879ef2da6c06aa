// SPDX-License-Identifier: GPL-2.0
/* Controls, and those quirks that lose them. */
#include "venc.h"

#define MIN_BITRATE 25000
#define MAX_BITRATE 100000000
/* Broadcom's defaults: an agent that does not set them gets too much, too seldom. */
#define DEFAULT_BITRATE 10000000
#define DEFAULT_GOP 60

static const u8 level_idc[] = {
	[V4L2_MPEG_VIDEO_H264_LEVEL_1_0] = 10, [V4L2_MPEG_VIDEO_H264_LEVEL_1_1] = 11,
	[V4L2_MPEG_VIDEO_H264_LEVEL_1_2] = 12, [V4L2_MPEG_VIDEO_H264_LEVEL_1_3] = 13,
	[V4L2_MPEG_VIDEO_H264_LEVEL_2_0] = 20, [V4L2_MPEG_VIDEO_H264_LEVEL_2_1] = 21,
	[V4L2_MPEG_VIDEO_H264_LEVEL_2_2] = 22, [V4L2_MPEG_VIDEO_H264_LEVEL_3_0] = 30,
	[V4L2_MPEG_VIDEO_H264_LEVEL_3_1] = 31, [V4L2_MPEG_VIDEO_H264_LEVEL_3_2] = 32,
	[V4L2_MPEG_VIDEO_H264_LEVEL_4_0] = 40, [V4L2_MPEG_VIDEO_H264_LEVEL_4_1] = 41,
	[V4L2_MPEG_VIDEO_H264_LEVEL_4_2] = 42, [V4L2_MPEG_VIDEO_H264_LEVEL_5_0] = 50,
	[V4L2_MPEG_VIDEO_H264_LEVEL_5_1] = 51,
};

static u32 profile_idc(s32 profile)
{
	switch (profile) {
	case V4L2_MPEG_VIDEO_H264_PROFILE_MAIN:
		return 77;
	case V4L2_MPEG_VIDEO_H264_PROFILE_HIGH:
		return 100;
	default:
		return 66;
	}
}

static void set_bitrate(struct venc_ctx *ctx, u32 bitrate)
{
	ctx->set_bitrate = bitrate;
	switch (ctx->quirks.bitrate_control) {
	case VENC_BITRATE_STREAMON:
		return;
	case VENC_BITRATE_STREAMING:
		if (!venc_streaming(ctx))
			return;
	}
	WRITE_ONCE(ctx->bitrate, bitrate);
}

static void force_key_frame(struct venc_ctx *ctx)
{
	if (ctx->quirks.keyframe_control == VENC_KEYFRAME_STREAMING && !venc_streaming(ctx))
		return;
	set_bit(0, &ctx->forced);
}

static bool controls_frozen(struct venc_ctx *ctx)
{
	struct v4l2_m2m_ctx *m2m = ctx->fh.m2m_ctx;

	return ctx->quirks.controls_frozen && m2m &&
	       (vb2_is_busy(&m2m->cap_q_ctx.q) || vb2_is_busy(&m2m->out_q_ctx.q));
}

static int s_ctrl(struct v4l2_ctrl *ctrl)
{
	struct venc_ctx *ctx = container_of(ctrl->handler, struct venc_ctx, controls);

	if (controls_frozen(ctx))
		return 0;
	switch (ctrl->id) {
	case V4L2_CID_MPEG_VIDEO_BITRATE:
		set_bitrate(ctx, ctrl->val);
		return 0;
	case V4L2_CID_MPEG_VIDEO_BITRATE_MODE:
		WRITE_ONCE(ctx->constant, ctrl->val == V4L2_MPEG_VIDEO_BITRATE_MODE_CBR);
		return 0;
	case V4L2_CID_MPEG_VIDEO_FRAME_RC_ENABLE:
		WRITE_ONCE(ctx->rate_control, ctrl->val);
		return 0;
	case V4L2_CID_MPEG_VIDEO_GOP_SIZE:
	case V4L2_CID_MPEG_VIDEO_H264_I_PERIOD:
		WRITE_ONCE(ctx->gop, ctrl->val);
		return 0;
	case V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME:
		force_key_frame(ctx);
		return 0;
	case V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER:
		WRITE_ONCE(ctx->repeat_headers, ctrl->val);
		return 0;
	case V4L2_CID_MPEG_VIDEO_HEADER_MODE:
		WRITE_ONCE(ctx->separate_headers,
			   ctrl->val == V4L2_MPEG_VIDEO_HEADER_MODE_SEPARATE);
		return 0;
	case V4L2_CID_MPEG_VIDEO_H264_PROFILE:
		WRITE_ONCE(ctx->profile_idc, profile_idc(ctrl->val));
		return 0;
	case V4L2_CID_MPEG_VIDEO_H264_LEVEL:
		WRITE_ONCE(ctx->level_idc, level_idc[ctrl->val]);
		return 0;
	default:
		return -EINVAL;
	}
}

static const struct v4l2_ctrl_ops ctrl_ops = { .s_ctrl = s_ctrl };

static void add(struct venc_ctx *ctx, u32 id, s64 low, s64 high, s64 value)
{
	v4l2_ctrl_new_std(&ctx->controls, &ctrl_ops, id, low, high, 1, value);
}

/* Every menu item up to last whose bit is not in absent. */
static void add_menu(struct venc_ctx *ctx, u32 id, u8 last, u64 absent, u8 value)
{
	v4l2_ctrl_new_std_menu(&ctx->controls, &ctrl_ops, id, last, absent, value);
}

static void add_header_controls(struct venc_ctx *ctx)
{
	u32 headers = ctx->quirks.headers;
	bool separate = headers == VENC_HEADERS_SEPARATE ||
			headers == VENC_HEADERS_SEPARATE_DEFAULT;
	u64 absent = 0;

	if (headers == VENC_HEADERS_SEPARATE)
		absent = BIT(V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME);
	else if (headers == VENC_HEADERS_FIRST || headers == VENC_HEADERS_REPEATED)
		absent = BIT(V4L2_MPEG_VIDEO_HEADER_MODE_SEPARATE);
	add_menu(ctx, V4L2_CID_MPEG_VIDEO_HEADER_MODE,
		 V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME, absent,
		 separate ? V4L2_MPEG_VIDEO_HEADER_MODE_SEPARATE :
			    V4L2_MPEG_VIDEO_HEADER_MODE_JOINED_WITH_1ST_FRAME);
	if (headers != VENC_HEADERS_FIRST && headers != VENC_HEADERS_REPEATED)
		add(ctx, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, 1, 0);
}

int venc_controls_init(struct venc_ctx *ctx)
{
	struct v4l2_ctrl_handler *h = &ctx->controls;
	int err;

	ctx->bitrate = DEFAULT_BITRATE;
	v4l2_ctrl_handler_init(h, 12);
	add(ctx, V4L2_CID_MIN_BUFFERS_FOR_OUTPUT, 1, 1, 1);
	add(ctx, V4L2_CID_MPEG_VIDEO_BITRATE, MIN_BITRATE, MAX_BITRATE, DEFAULT_BITRATE);
	add(ctx, V4L2_CID_MPEG_VIDEO_FRAME_RC_ENABLE, 0, 1, ctx->quirks.frame_rc);
	add(ctx, V4L2_CID_MPEG_VIDEO_GOP_SIZE, 0, INT_MAX, DEFAULT_GOP);
	add(ctx, V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, 0, INT_MAX, DEFAULT_GOP);
	if (ctx->quirks.keyframe_control != VENC_KEYFRAME_ABSENT)
		add(ctx, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0, 0, 0);
	add_menu(ctx, V4L2_CID_MPEG_VIDEO_BITRATE_MODE, V4L2_MPEG_VIDEO_BITRATE_MODE_CBR, 0,
		 V4L2_MPEG_VIDEO_BITRATE_MODE_VBR);
	add_menu(ctx, V4L2_CID_MPEG_VIDEO_H264_PROFILE, V4L2_MPEG_VIDEO_H264_PROFILE_HIGH,
		 BIT(V4L2_MPEG_VIDEO_H264_PROFILE_EXTENDED), V4L2_MPEG_VIDEO_H264_PROFILE_HIGH);
	add_menu(ctx, V4L2_CID_MPEG_VIDEO_H264_LEVEL, V4L2_MPEG_VIDEO_H264_LEVEL_5_1,
		 BIT(V4L2_MPEG_VIDEO_H264_LEVEL_1B), V4L2_MPEG_VIDEO_H264_LEVEL_4_0);
	add_header_controls(ctx);
	err = h->error;
	if (!err)
		err = v4l2_ctrl_handler_setup(h);
	if (err) {
		v4l2_ctrl_handler_free(h);
		return err;
	}
	ctx->fh.ctrl_handler = h;
	return 0;
}
