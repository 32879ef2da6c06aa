// SPDX-License-Identifier: GPL-2.0
/* The two buffer queues. */
#include <linux/version.h>
#include <media/v4l2-event.h>
#include <media/videobuf2-vmalloc.h>

#include "venc.h"

bool venc_streaming(struct venc_ctx *ctx)
{
	struct v4l2_m2m_ctx *m2m = ctx->fh.m2m_ctx;

	return m2m && vb2_is_streaming(&m2m->cap_q_ctx.q) && vb2_is_streaming(&m2m->out_q_ctx.q);
}

void venc_queue_eos(struct venc_ctx *ctx)
{
	static const struct v4l2_event eos = { .type = V4L2_EVENT_EOS };

	v4l2_event_queue_fh(&ctx->fh, &eos);
}

static u32 plane_bytes(const struct venc_ctx *ctx, const struct vb2_queue *q, u32 i)
{
	return V4L2_TYPE_IS_OUTPUT(q->type) ? ctx->raw.bytes[i] : ctx->coded_bytes;
}

static int queue_setup(struct vb2_queue *q, unsigned int *buffers, unsigned int *planes,
		       unsigned int sizes[], struct device *alloc_devs[])
{
	struct venc_ctx *ctx = vb2_get_drv_priv(q);
	u32 want = V4L2_TYPE_IS_OUTPUT(q->type) ? ctx->raw.planes : 1;
	u32 i;

	if (*planes && *planes != want)
		return -EINVAL;
	for (i = 0; i < want; i++) {
		if (*planes && sizes[i] < plane_bytes(ctx, q, i))
			return -EINVAL;
		if (!*planes)
			sizes[i] = plane_bytes(ctx, q, i);
	}
	*planes = want;
	return 0;
}

static int buf_out_validate(struct vb2_buffer *vb)
{
	struct vb2_v4l2_buffer *v = to_vb2_v4l2_buffer(vb);

	if (v->field == V4L2_FIELD_ANY)
		v->field = V4L2_FIELD_NONE;
	return v->field == V4L2_FIELD_NONE ? 0 : -EINVAL;
}

static int buf_prepare(struct vb2_buffer *vb)
{
	struct venc_ctx *ctx = vb2_get_drv_priv(vb->vb2_queue);
	bool raw = V4L2_TYPE_IS_OUTPUT(vb->type);
	u32 i;

	if (vb->memory == VB2_MEMORY_DMABUF && ctx->quirks.import == VENC_IMPORT_REFUSED)
		return -EINVAL;
	for (i = 0; i < vb->num_planes; i++) {
		u32 offset = raw ? vb->planes[i].data_offset : 0;
		u32 need = plane_bytes(ctx, vb->vb2_queue, i);

		if (offset > vb2_plane_size(vb, i) || vb2_plane_size(vb, i) - offset < need)
			return -EINVAL;
	}
	return 0;
}

/* A drain that found both queues empty waits here for a buffer to say so. */
static void finish_drain(struct venc_ctx *ctx, struct vb2_v4l2_buffer *v)
{
	vb2_set_plane_payload(&v->vb2_buf, 0, 0);
	v->field = V4L2_FIELD_NONE;
	v->sequence = ctx->sequence[1]++;
	v4l2_m2m_last_buffer_done(ctx->fh.m2m_ctx, v);
	venc_queue_eos(ctx);
}

static void buf_queue(struct vb2_buffer *vb)
{
	struct venc_ctx *ctx = vb2_get_drv_priv(vb->vb2_queue);
	struct vb2_v4l2_buffer *v = to_vb2_v4l2_buffer(vb);

	if (V4L2_TYPE_IS_CAPTURE(vb->type) && vb2_is_streaming(vb->vb2_queue) &&
	    v4l2_m2m_dst_buf_is_last(ctx->fh.m2m_ctx))
		finish_drain(ctx, v);
	else
		v4l2_m2m_buf_queue(ctx->fh.m2m_ctx, v);
}

static void return_buffers(struct vb2_queue *q, enum vb2_buffer_state state)
{
	struct venc_ctx *ctx = vb2_get_drv_priv(q);
	struct vb2_v4l2_buffer *v;

	for (;;) {
		if (V4L2_TYPE_IS_OUTPUT(q->type))
			v = v4l2_m2m_src_buf_remove(ctx->fh.m2m_ctx);
		else
			v = v4l2_m2m_dst_buf_remove(ctx->fh.m2m_ctx);
		if (!v)
			return;
		v4l2_m2m_buf_done(v, state);
	}
}

/* The encoder starts when the second of the queues does: then its format stands. */
static int start_streaming(struct vb2_queue *q, unsigned int count)
{
	struct venc_ctx *ctx = vb2_get_drv_priv(q);
	struct v4l2_m2m_ctx *m2m = ctx->fh.m2m_ctx;
	bool raw = V4L2_TYPE_IS_OUTPUT(q->type);
	int err = 0;

	v4l2_m2m_update_start_streaming_state(m2m, q);
	ctx->sequence[!raw] = 0;
	if (vb2_is_streaming(raw ? &m2m->cap_q_ctx.q : &m2m->out_q_ctx.q))
		err = venc_encoder_start(ctx);
	if (err)
		return_buffers(q, VB2_BUF_STATE_QUEUED);
	return err;
}

/* STREAMOFF of OUTPUT in the middle of a drain ends it: the event of that, and only once. */
static void stop_streaming(struct vb2_queue *q)
{
	struct venc_ctx *ctx = vb2_get_drv_priv(q);
	struct v4l2_m2m_ctx *m2m = ctx->fh.m2m_ctx;
	bool stopped = v4l2_m2m_has_stopped(m2m);

	venc_encoder_stop(ctx);
	return_buffers(q, VB2_BUF_STATE_ERROR);
	v4l2_m2m_update_stop_streaming_state(m2m, q);
	if (!stopped && v4l2_m2m_has_stopped(m2m))
		venc_queue_eos(ctx);
}

static const struct vb2_ops queue_ops = {
	.queue_setup = queue_setup,
	.buf_out_validate = buf_out_validate,
	.buf_prepare = buf_prepare,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
	.wait_prepare = vb2_ops_wait_prepare,
	.wait_finish = vb2_ops_wait_finish,
#endif
};

static int init_queue(struct venc_ctx *ctx, struct vb2_queue *q, enum v4l2_buf_type type)
{
	q->type = type;
	q->io_modes = VB2_MMAP;
	if (ctx->quirks.import != VENC_IMPORT_ABSENT)
		q->io_modes |= VB2_DMABUF;
	q->drv_priv = ctx;
	q->ops = &queue_ops;
	q->mem_ops = &vb2_vmalloc_memops;
	q->buf_struct_size = sizeof(struct v4l2_m2m_buffer);
	q->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_COPY;
	q->lock = &ctx->dev->lock;
	return vb2_queue_init(q);
}

int venc_queues_init(void *priv, struct vb2_queue *src, struct vb2_queue *dst)
{
	struct venc_ctx *ctx = priv;
	bool multi = ctx->dev->multiplanar;
	int err;

	err = init_queue(ctx, src, multi ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE :
					   V4L2_BUF_TYPE_VIDEO_OUTPUT);
	if (err)
		return err;
	return init_queue(ctx, dst, multi ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE :
					    V4L2_BUF_TYPE_VIDEO_CAPTURE);
}
