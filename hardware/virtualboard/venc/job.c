// SPDX-License-Identifier: GPL-2.0
/*
 * One source buffer at a time: it is encoded into memory of our own, as a few pieces,
 * and these go out in as many CAPTURE buffers as they need. The source stays in its
 * queue until its last piece is out, so that a drain knows it is not done.
 *
 *   source ready -> encode -> pieces -> buffer, buffer, ... -> source returned
 *                                 ^------ wait for buffers
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "venc.h"

#define CONSTANT_QP 26	/* without rate control */

static const u8 junk[] = "junk: these bytes contain no NAL unit at all, nor a start code";

void venc_drop_pieces(struct venc_ctx *ctx)
{
	ctx->pieces_made = 0;
	ctx->pieces_sent = 0;
	ctx->piece_at = 0;
}

static void add_piece(struct venc_ctx *ctx, const u8 *data, u32 bytes, u32 flags, bool stamped)
{
	ctx->pieces[ctx->pieces_made++] = (struct venc_piece){ data, bytes, flags, stamped };
}

int venc_encoder_start(struct venc_ctx *ctx)
{
	u32 w = ctx->crop.width, h = ctx->crop.height;

	venc_encoder_stop(ctx);
	ctx->coded_room = SZ_1M + ctx->coded_bytes + w * h / 2;
	ctx->coded = kvmalloc(ctx->coded_room, GFP_KERNEL);
	ctx->mosaic = kvzalloc(h264_mosaic_size(w, h), GFP_KERNEL);
	if (!ctx->coded || !ctx->mosaic) {
		venc_encoder_stop(ctx);
		return -ENOMEM;
	}
	h264_setup(&ctx->encoder, w, h, ctx->mosaic);
	rate_init(&ctx->rate);
	ctx->fresh = true;
	ctx->since_key = 0;
	ctx->owed = 0;
	if (!venc_stall_until_close()) {
		ctx->frames = 0;
		ctx->stalled = false;
	}
	if (ctx->quirks.bitrate_control == VENC_BITRATE_STREAMON)
		ctx->bitrate = ctx->set_bitrate;
	return 0;
}

void venc_encoder_stop(struct venc_ctx *ctx)
{
	venc_drop_pieces(ctx);
	kvfree(ctx->coded);
	kvfree(ctx->mosaic);
	ctx->coded = NULL;
	ctx->mosaic = NULL;
}

static bool repeats_headers(const struct venc_ctx *ctx)
{
	switch (ctx->quirks.headers) {
	case VENC_HEADERS_FIRST:
		return false;
	case VENC_HEADERS_REPEATED:
		return true;
	default:
		return READ_ONCE(ctx->repeat_headers);
	}
}

static bool take_key(struct venc_ctx *ctx)
{
	u32 gop = READ_ONCE(ctx->gop);
	bool forced = test_and_clear_bit(0, &ctx->forced);

	return forced || ctx->fresh || (gop && ctx->since_key >= gop);
}

static void put_headers(struct venc_ctx *ctx, struct bits *b)
{
	ctx->encoder.profile_idc = READ_ONCE(ctx->profile_idc);
	ctx->encoder.level_idc = READ_ONCE(ctx->level_idc);
	h264_put_headers(&ctx->encoder, b);
	if (READ_ONCE(ctx->separate_headers)) {
		add_piece(ctx, b->start, bits_len(b), 0, false);
		b->start = b->p;
	}
}

static void put_first_buffer(struct venc_ctx *ctx)
{
	if (ctx->quirks.first_buffer == VENC_FIRST_EMPTY)
		add_piece(ctx, NULL, 0, 0, false);
	else if (ctx->quirks.first_buffer == VENC_FIRST_JUNK)
		add_piece(ctx, junk, sizeof(junk), 0, false);
}

/* Padding already owed, the stamp, the picture, and what padding this one asks for. */
static void put_frame(struct venc_ctx *ctx, struct bits *b, struct vb2_v4l2_buffer *src,
		      bool key, u32 room)
{
	bool controlled = READ_ONCE(ctx->rate_control);
	bool pad = controlled && READ_ONCE(ctx->constant) && ctx->quirks.padding;
	u32 bitrate = READ_ONCE(ctx->bitrate);
	struct h264_source picture;
	u32 padding, paid = bits_len(b);

	venc_raw_source(ctx, &src->vb2_buf, &picture);
	if (controlled)
		rate_frame(&ctx->rate, bitrate, ctx->interval.numerator,
			   ctx->interval.denominator);
	h264_put_sei_padding(b, ctx->owed);
	paid = bits_len(b) - paid;
	h264_put_sei(b, src->vb2_buf.timestamp, ctx->counter, bitrate);
	h264_put_picture(&ctx->encoder, b, &picture, key,
			 controlled ? ctx->rate.qp : CONSTANT_QP,
			 controlled && ctx->rate.freeze);
	if (!controlled)
		return;
	room = room > bits_len(b) ? room - bits_len(b) : 0;
	padding = rate_spend(&ctx->rate, bits_len(b) - paid, pad, room);
	ctx->owed = 0;
	if (ctx->quirks.padding == VENC_PADDING_SEI)
		ctx->owed = padding;
	else
		h264_put_filler(b, padding);
}

/* Encodes into pieces. An error leaves none; the next frame is then a key frame. */
static int encode(struct venc_ctx *ctx, struct vb2_v4l2_buffer *src, u32 room)
{
	bool key = take_key(ctx);
	u32 flags = key ? V4L2_BUF_FLAG_KEYFRAME : V4L2_BUF_FLAG_PFRAME;
	struct bits b;

	if (ctx->quirks.split_bytes)
		room = ctx->coded_room;
	bits_init(&b, ctx->coded, ctx->coded_room);
	if (ctx->fresh)
		put_first_buffer(ctx);
	if (ctx->fresh || (key && repeats_headers(ctx)))
		put_headers(ctx, &b);
	put_frame(ctx, &b, src, key, room);
	if (b.overflow || bits_len(&b) > room) {
		venc_drop_pieces(ctx);
		set_bit(0, &ctx->forced);
		return -ENOSPC;
	}
	add_piece(ctx, b.start, bits_len(&b), ctx->quirks.keyframe_flag ? flags : 0, true);
	ctx->fresh = false;
	ctx->since_key = key ? 1 : ctx->since_key + 1;
	ctx->counter++;
	ctx->frames++;
	return 0;
}

static void finish_buffer(struct venc_ctx *ctx, struct vb2_v4l2_buffer *dst, u32 bytes,
			  u32 flags, enum vb2_buffer_state state)
{
	v4l2_m2m_dst_buf_remove(ctx->fh.m2m_ctx);
	vb2_set_plane_payload(&dst->vb2_buf, 0, bytes);
	dst->flags &= ~(V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME | V4L2_BUF_FLAG_BFRAME |
			V4L2_BUF_FLAG_LAST);
	dst->flags |= flags;
	dst->field = V4L2_FIELD_NONE;
	dst->sequence = ctx->sequence[1]++;
	v4l2_m2m_buf_done(dst, state);
}

/* LAST if this source's last buffer ends a drain. */
static u32 last_flag(struct venc_ctx *ctx, struct vb2_v4l2_buffer *src)
{
	if (!v4l2_m2m_is_last_draining_src_buf(ctx->fh.m2m_ctx, src))
		return 0;
	v4l2_m2m_mark_stopped(ctx->fh.m2m_ctx);
	venc_queue_eos(ctx);
	return V4L2_BUF_FLAG_LAST;
}

static void finish_source(struct venc_ctx *ctx, struct vb2_v4l2_buffer *src,
			  enum vb2_buffer_state state)
{
	v4l2_m2m_src_buf_remove(ctx->fh.m2m_ctx);
	src->sequence = ctx->sequence[0]++;
	v4l2_m2m_buf_done(src, state);
	venc_drop_pieces(ctx);
}

/* Fills one buffer; true when the source has nothing more to hand out. */
static bool send(struct venc_ctx *ctx, struct vb2_v4l2_buffer *src, struct vb2_v4l2_buffer *dst)
{
	struct venc_piece *piece = &ctx->pieces[ctx->pieces_sent];
	u32 room = vb2_plane_size(&dst->vb2_buf, 0);
	u32 flags = piece->flags, n;
	bool all = false;

	if (ctx->quirks.split_bytes)
		room = min(room, ctx->quirks.split_bytes);
	n = min(room, piece->bytes - ctx->piece_at);
	memcpy(vb2_plane_vaddr(&dst->vb2_buf, 0), piece->data + ctx->piece_at, n);
	ctx->piece_at += n;
	if (ctx->piece_at == piece->bytes) {
		ctx->pieces_sent++;
		ctx->piece_at = 0;
		all = ctx->pieces_sent == ctx->pieces_made;
	}
	dst->vb2_buf.timestamp = 0;
	if (piece->stamped)
		v4l2_m2m_buf_copy_metadata(src, dst, false);
	if (all)
		flags |= last_flag(ctx, src);
	finish_buffer(ctx, dst, n, flags, VB2_BUF_STATE_DONE);
	return all;
}

static void fail(struct venc_ctx *ctx, struct vb2_v4l2_buffer *src, struct vb2_v4l2_buffer *dst)
{
	v4l2_m2m_buf_copy_metadata(src, dst, false);
	finish_buffer(ctx, dst, 0, last_flag(ctx, src), VB2_BUF_STATE_ERROR);
	finish_source(ctx, src, VB2_BUF_STATE_ERROR);
}

static bool injected_error(struct venc_ctx *ctx)
{
	u32 every = venc_eio_every();

	return (every && ++ctx->attempts % every == 0) || venc_eio_at(READ_ONCE(ctx->bitrate));
}

static void run(struct venc_ctx *ctx)
{
	struct v4l2_m2m_ctx *m2m = ctx->fh.m2m_ctx;
	struct vb2_v4l2_buffer *src = v4l2_m2m_next_src_buf(m2m);
	struct vb2_v4l2_buffer *dst = v4l2_m2m_next_dst_buf(m2m);
	bool failed = false, all = false;

	if (!ctx->pieces_made)
		failed = injected_error(ctx) ||
			 encode(ctx, src, vb2_plane_size(&dst->vb2_buf, 0)) < 0;
	/* A drain that begins now sees this source either queued or wholly done. */
	mutex_lock(&ctx->finish);
	if (failed) {
		fail(ctx, src, dst);
	} else {
		while (dst && !all) {
			all = send(ctx, src, dst);
			dst = v4l2_m2m_next_dst_buf(m2m);
		}
		if (all)
			finish_source(ctx, src, VB2_BUF_STATE_DONE);
	}
	mutex_unlock(&ctx->finish);
}

void venc_job_work(struct work_struct *work)
{
	struct venc_ctx *ctx = container_of(to_delayed_work(work), struct venc_ctx, job);

	run(ctx);
	v4l2_m2m_job_finish(ctx->dev->m2m, ctx->fh.m2m_ctx);
}

/* The core has seen to it that both queues have a buffer. */
static int job_ready(void *priv)
{
	struct venc_ctx *ctx = priv;

	if (ctx->pieces_made)
		return true;
	if (venc_stalls(ctx->frames, READ_ONCE(ctx->repeat_headers)))
		ctx->stalled = true;
	return !ctx->stalled;
}

static void device_run(void *priv)
{
	struct venc_ctx *ctx = priv;
	u32 ms = ctx->pieces_made ? 0 : venc_latency_ms();

	queue_delayed_work(ctx->dev->jobs, &ctx->job, msecs_to_jiffies(ms));
}

const struct v4l2_m2m_ops venc_m2m_ops = {
	.device_run = device_run,
	.job_ready = job_ready,
};
