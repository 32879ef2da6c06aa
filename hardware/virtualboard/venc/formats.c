// SPDX-License-Identifier: GPL-2.0
/* Formats, crop, frame interval, and the table of ioctls. */
#include <linux/math.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>

#include "venc.h"

#define MIN_SIDE 32
#define MAX_WIDTH 1920
#define MAX_HEIGHT 1088
#define MIN_CODED SZ_16K
#define MAX_CODED SZ_32M

static const struct venc_format formats[] = {
	{ V4L2_PIX_FMT_NV12, H264_SEMIPLANAR, 1 },
	{ V4L2_PIX_FMT_YUV420, H264_PLANAR, 1 },
	{ V4L2_PIX_FMT_YUYV, H264_PACKED, 1 },
	/* Only with the multi-planar API: */
	{ V4L2_PIX_FMT_NV12M, H264_SEMIPLANAR, 2 },
	{ V4L2_PIX_FMT_YUV420M, H264_PLANAR, 3 },
};

static bool offered(const struct venc_ctx *ctx, const struct venc_format *f)
{
	return f->memory_planes == 1 || ctx->dev->multiplanar;
}

static const struct venc_format *find_format(const struct venc_ctx *ctx, u32 fourcc)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (formats[i].fourcc == fourcc && offered(ctx, &formats[i]))
			return &formats[i];
	return NULL;
}

/* Strides and sizes of a format whose width and height stand. */
static void lay_out(const struct venc_ctx *ctx, struct venc_raw *r)
{
	u32 stride = r->format->layout == H264_PACKED ? 2 * r->width : r->width;
	u32 luma, chroma;

	stride = roundup(round_up(stride, 2), ctx->quirks.stride_align);
	stride = round_up(stride, 2);
	luma = stride * r->height;
	chroma = luma / 4;
	r->planes = r->format->memory_planes;
	r->stride[0] = stride;
	r->bytes[0] = luma;
	switch (r->planes) {
	case 1:
		r->bytes[0] += r->format->layout == H264_PACKED ? 0 : 2 * chroma;
		break;
	case 2:
		r->stride[1] = stride;
		r->bytes[1] = 2 * chroma;
		break;
	case 3:
		r->stride[1] = r->stride[2] = stride / 2;
		r->bytes[1] = r->bytes[2] = chroma;
		break;
	}
}

/* The nearest OUTPUT format to what is asked for. */
static void negotiate(const struct venc_ctx *ctx, struct venc_raw *r, u32 fourcc, u32 width,
		      u32 height)
{
	r->format = find_format(ctx, fourcc);
	if (!r->format)
		r->format = &formats[0];
	r->width = roundup(clamp(width, MIN_SIDE, MAX_WIDTH), ctx->quirks.width_align);
	r->height = roundup(clamp(height, MIN_SIDE, MAX_HEIGHT), ctx->quirks.height_align);
	if (!r->colorspace)
		r->colorspace = V4L2_COLORSPACE_REC709;
	lay_out(ctx, r);
}

/* 512 kB up to 720p, as Broadcom's; half a byte a pixel above. */
static u32 default_coded_bytes(const struct venc_raw *r)
{
	return max_t(u32, SZ_512K, r->width * r->height / 2);
}

static void reset_crop(struct venc_ctx *ctx)
{
	ctx->crop = (struct v4l2_rect){ 0, 0, ctx->raw.width, ctx->raw.height };
}

void venc_formats_init(struct venc_ctx *ctx)
{
	negotiate(ctx, &ctx->raw, V4L2_PIX_FMT_NV12, 640, 480);
	reset_crop(ctx);
	ctx->coded_bytes = default_coded_bytes(&ctx->raw);
	ctx->interval = (struct v4l2_fract){ 1, 30 };
}

static const u8 *plane(struct vb2_buffer *vb, u32 i)
{
	return (const u8 *)vb2_plane_vaddr(vb, i) + vb->planes[i].data_offset;
}

/* The visible part of a buffer that buf_prepare has found to be long enough. */
void venc_raw_source(const struct venc_ctx *ctx, struct vb2_buffer *vb, struct h264_source *src)
{
	const struct venc_raw *r = &ctx->raw;
	u32 x = ctx->crop.left, y = ctx->crop.top;
	bool packed = r->format->layout == H264_PACKED;
	bool planar = r->format->layout == H264_PLANAR;
	const u8 *luma = plane(vb, 0), *cb, *cr = NULL;

	src->layout = r->format->layout;
	src->width = ctx->crop.width;
	src->height = ctx->crop.height;
	src->luma_stride = r->stride[0];
	src->chroma_stride = planar ? r->stride[0] / 2 : r->stride[0];
	src->luma = luma + y * src->luma_stride + (packed ? 2 * x : x);
	if (packed)
		return;
	cb = r->planes > 1 ? plane(vb, 1) : luma + r->stride[0] * r->height;
	if (planar)
		cr = r->planes > 2 ? plane(vb, 2) : cb + src->chroma_stride * r->height / 2;
	src->cb = cb + y / 2 * src->chroma_stride + (planar ? x / 2 : x);
	src->cr = planar ? cr + y / 2 * src->chroma_stride + x / 2 : NULL;
}

static int querycap(struct file *file, void *fh, struct v4l2_capability *cap)
{
	struct venc_dev *dev = video_drvdata(file);

	strscpy(cap->driver, VENC_NAME, sizeof(cap->driver));
	strscpy(cap->card, "Bril test encoder", sizeof(cap->card));
	snprintf(cap->bus_info, sizeof(cap->bus_info), "platform:%s", dev_name(dev->v4l2.dev));
	return 0;
}

static int enum_fmt_out(struct file *file, void *fh, struct v4l2_fmtdesc *f)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);

	if (f->index >= ARRAY_SIZE(formats) || !offered(ctx, &formats[f->index]))
		return -EINVAL;
	f->pixelformat = formats[f->index].fourcc;
	return 0;
}

static int enum_fmt_cap(struct file *file, void *fh, struct v4l2_fmtdesc *f)
{
	if (f->index)
		return -EINVAL;
	f->pixelformat = V4L2_PIX_FMT_H264;
	return 0;
}

static int enum_framesizes(struct file *file, void *fh, struct v4l2_frmsizeenum *f)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);
	u32 x = ctx->quirks.width_align, y = ctx->quirks.height_align;

	if (f->index || (f->pixel_format != V4L2_PIX_FMT_H264 &&
			 !find_format(ctx, f->pixel_format)))
		return -EINVAL;
	f->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	f->stepwise = (struct v4l2_frmsize_stepwise){
		.min_width = roundup(MIN_SIDE, x), .max_width = roundup(MAX_WIDTH, x),
		.min_height = roundup(MIN_SIDE, y), .max_height = roundup(MAX_HEIGHT, y),
		.step_width = x, .step_height = y,
	};
	return 0;
}

/* Both APIs' formats, filled from the one description. */
static void raw_to_user(const struct venc_raw *r, struct v4l2_format *f)
{
	struct v4l2_pix_format_mplane *mp = &f->fmt.pix_mp;
	struct v4l2_pix_format *sp = &f->fmt.pix;
	u32 i;

	if (V4L2_TYPE_IS_MULTIPLANAR(f->type)) {
		memset(mp, 0, sizeof(*mp));
		mp->width = r->width;
		mp->height = r->height;
		mp->pixelformat = r->format->fourcc;
		mp->field = V4L2_FIELD_NONE;
		mp->colorspace = r->colorspace;
		mp->xfer_func = r->xfer_func;
		mp->ycbcr_enc = r->ycbcr_enc;
		mp->quantization = r->quantization;
		mp->num_planes = r->planes;
		for (i = 0; i < r->planes; i++) {
			mp->plane_fmt[i].bytesperline = r->stride[i];
			mp->plane_fmt[i].sizeimage = r->bytes[i];
		}
		return;
	}
	sp->width = r->width;
	sp->height = r->height;
	sp->pixelformat = r->format->fourcc;
	sp->field = V4L2_FIELD_NONE;
	sp->bytesperline = r->stride[0];
	sp->sizeimage = r->bytes[0];
	sp->colorspace = r->colorspace;
	sp->xfer_func = r->xfer_func;
	sp->ycbcr_enc = r->ycbcr_enc;
	sp->quantization = r->quantization;
}

/* The coded format has the raw one's size and colours, no stride, and one plane. */
static void coded_to_user(const struct venc_ctx *ctx, u32 bytes, struct v4l2_format *f)
{
	static const struct venc_format h264 = { V4L2_PIX_FMT_H264, H264_PLANAR, 1 };
	struct venc_raw r = ctx->raw;

	r.format = &h264;
	r.planes = 1;
	r.stride[0] = 0;
	r.bytes[0] = bytes;
	raw_to_user(&r, f);
}

static void user_to_raw(const struct venc_ctx *ctx, const struct v4l2_format *f,
			struct venc_raw *r)
{
	const struct v4l2_pix_format_mplane *mp = &f->fmt.pix_mp;
	const struct v4l2_pix_format *sp = &f->fmt.pix;
	bool multi = V4L2_TYPE_IS_MULTIPLANAR(f->type);

	memset(r, 0, sizeof(*r));
	r->colorspace = multi ? mp->colorspace : sp->colorspace;
	r->xfer_func = multi ? mp->xfer_func : sp->xfer_func;
	r->ycbcr_enc = multi ? mp->ycbcr_enc : sp->ycbcr_enc;
	r->quantization = multi ? mp->quantization : sp->quantization;
	negotiate(ctx, r, multi ? mp->pixelformat : sp->pixelformat,
		  multi ? mp->width : sp->width, multi ? mp->height : sp->height);
}

static u32 user_coded_bytes(const struct venc_ctx *ctx, const struct v4l2_format *f)
{
	u32 want = V4L2_TYPE_IS_MULTIPLANAR(f->type) ? f->fmt.pix_mp.plane_fmt[0].sizeimage :
						       f->fmt.pix.sizeimage;

	return want ? clamp_t(u32, want, MIN_CODED, MAX_CODED) : default_coded_bytes(&ctx->raw);
}

/* The core lets both APIs' ioctls through. */
static bool foreign(const struct venc_ctx *ctx, const struct v4l2_format *f)
{
	return V4L2_TYPE_IS_MULTIPLANAR(f->type) != ctx->dev->multiplanar;
}

static int g_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);

	if (foreign(ctx, f))
		return -EINVAL;
	if (V4L2_TYPE_IS_OUTPUT(f->type))
		raw_to_user(&ctx->raw, f);
	else
		coded_to_user(ctx, ctx->coded_bytes, f);
	return 0;
}

static int try_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);
	struct venc_raw r;

	if (foreign(ctx, f))
		return -EINVAL;
	if (V4L2_TYPE_IS_OUTPUT(f->type)) {
		user_to_raw(ctx, f, &r);
		raw_to_user(&r, f);
	} else {
		coded_to_user(ctx, user_coded_bytes(ctx, f), f);
	}
	return 0;
}

static int s_fmt(struct file *file, void *fh, struct v4l2_format *f)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);
	struct vb2_queue *coded = v4l2_m2m_get_vq(ctx->fh.m2m_ctx, V4L2_BUF_TYPE_VIDEO_CAPTURE);
	struct vb2_queue *q = v4l2_m2m_get_vq(ctx->fh.m2m_ctx, f->type);

	if (foreign(ctx, f))
		return -EINVAL;
	if (vb2_is_busy(q))
		return -EBUSY;
	if (V4L2_TYPE_IS_OUTPUT(f->type)) {
		user_to_raw(ctx, f, &ctx->raw);
		reset_crop(ctx);
		if (!vb2_is_busy(coded))
			ctx->coded_bytes = max(ctx->coded_bytes, default_coded_bytes(&ctx->raw));
	} else {
		ctx->coded_bytes = user_coded_bytes(ctx, f);
	}
	return g_fmt(file, fh, f);
}

static int g_selection(struct file *file, void *fh, struct v4l2_selection *s)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);

	if (s->type != V4L2_BUF_TYPE_VIDEO_OUTPUT)
		return -EINVAL;
	switch (s->target) {
	case V4L2_SEL_TGT_CROP:
		s->r = ctx->crop;
		return 0;
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		s->r = (struct v4l2_rect){ 0, 0, ctx->raw.width, ctx->raw.height };
		return 0;
	default:
		return -EINVAL;
	}
}

static int s_selection(struct file *file, void *fh, struct v4l2_selection *s)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);
	u32 width = ctx->raw.width, height = ctx->raw.height;

	if (s->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || s->target != V4L2_SEL_TGT_CROP)
		return -EINVAL;
	if (venc_streaming(ctx))
		return -EBUSY;
	/* Chroma is shared by two pixels each way. */
	s->r.left = clamp_t(s32, s->r.left, 0, width - MIN_SIDE) & ~1;
	s->r.top = clamp_t(s32, s->r.top, 0, height - MIN_SIDE) & ~1;
	s->r.width = clamp_t(u32, s->r.width, MIN_SIDE, width - s->r.left) & ~1U;
	s->r.height = clamp_t(u32, s->r.height, MIN_SIDE, height - s->r.top) & ~1U;
	ctx->crop = s->r;
	return 0;
}

static int g_parm(struct file *file, void *fh, struct v4l2_streamparm *p)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);

	if (!V4L2_TYPE_IS_OUTPUT(p->type))
		return -EINVAL;
	memset(&p->parm, 0, sizeof(p->parm));
	p->parm.output.capability = V4L2_CAP_TIMEPERFRAME;
	p->parm.output.timeperframe = ctx->interval;
	return 0;
}

static int s_parm(struct file *file, void *fh, struct v4l2_streamparm *p)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);
	struct v4l2_fract want = p->parm.output.timeperframe;

	if (!V4L2_TYPE_IS_OUTPUT(p->type))
		return -EINVAL;
	ctx->interval = want.numerator && want.denominator ? want : (struct v4l2_fract){ 1, 30 };
	return g_parm(file, fh, p);
}

static int encoder_cmd(struct file *file, void *fh, struct v4l2_encoder_cmd *cmd)
{
	struct venc_ctx *ctx = venc_ctx_of(fh);
	struct v4l2_m2m_ctx *m2m = ctx->fh.m2m_ctx;
	int err = v4l2_m2m_ioctl_try_encoder_cmd(file, fh, cmd);
	bool was, is;

	/* Without both queues there is nothing to drain (dev-encoder, Drain). */
	if (err || !venc_streaming(ctx))
		return err;
	mutex_lock(&ctx->finish);
	was = v4l2_m2m_has_stopped(m2m);
	err = v4l2_m2m_ioctl_encoder_cmd(file, fh, cmd);
	is = v4l2_m2m_has_stopped(m2m);
	mutex_unlock(&ctx->finish);
	if (!was && is)
		venc_queue_eos(ctx);	/* nothing was left to encode */
	if (was && !is) {
		vb2_clear_last_buffer_dequeued(&m2m->cap_q_ctx.q);
		v4l2_m2m_try_schedule(m2m);	/* what was queued meanwhile */
	}
	return err;
}

static int subscribe_event(struct v4l2_fh *fh, const struct v4l2_event_subscription *sub)
{
	if (sub->type == V4L2_EVENT_EOS)
		return v4l2_event_subscribe(fh, sub, 0, NULL);
	return v4l2_ctrl_subscribe_event(fh, sub);
}

const struct v4l2_ioctl_ops venc_ioctl_ops = {
	.vidioc_querycap = querycap,

	.vidioc_enum_fmt_vid_out = enum_fmt_out,
	.vidioc_enum_fmt_vid_cap = enum_fmt_cap,
	.vidioc_enum_framesizes = enum_framesizes,
	.vidioc_g_fmt_vid_out = g_fmt,
	.vidioc_g_fmt_vid_cap = g_fmt,
	.vidioc_g_fmt_vid_out_mplane = g_fmt,
	.vidioc_g_fmt_vid_cap_mplane = g_fmt,
	.vidioc_try_fmt_vid_out = try_fmt,
	.vidioc_try_fmt_vid_cap = try_fmt,
	.vidioc_try_fmt_vid_out_mplane = try_fmt,
	.vidioc_try_fmt_vid_cap_mplane = try_fmt,
	.vidioc_s_fmt_vid_out = s_fmt,
	.vidioc_s_fmt_vid_cap = s_fmt,
	.vidioc_s_fmt_vid_out_mplane = s_fmt,
	.vidioc_s_fmt_vid_cap_mplane = s_fmt,

	.vidioc_g_selection = g_selection,
	.vidioc_s_selection = s_selection,
	.vidioc_g_parm = g_parm,
	.vidioc_s_parm = s_parm,

	.vidioc_reqbufs = v4l2_m2m_ioctl_reqbufs,
	.vidioc_create_bufs = v4l2_m2m_ioctl_create_bufs,
	.vidioc_prepare_buf = v4l2_m2m_ioctl_prepare_buf,
	.vidioc_querybuf = v4l2_m2m_ioctl_querybuf,
	.vidioc_qbuf = v4l2_m2m_ioctl_qbuf,
	.vidioc_dqbuf = v4l2_m2m_ioctl_dqbuf,
	.vidioc_expbuf = v4l2_m2m_ioctl_expbuf,
	.vidioc_streamon = v4l2_m2m_ioctl_streamon,
	.vidioc_streamoff = v4l2_m2m_ioctl_streamoff,

	.vidioc_try_encoder_cmd = v4l2_m2m_ioctl_try_encoder_cmd,
	.vidioc_encoder_cmd = encoder_cmd,
	.vidioc_subscribe_event = subscribe_event,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};
