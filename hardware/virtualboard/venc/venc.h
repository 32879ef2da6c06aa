/* SPDX-License-Identifier: GPL-2.0 */
/* The V4L2 side: one memory-to-memory device, one context for every open file. */
#ifndef VENC_VENC_H
#define VENC_VENC_H

#include <linux/mutex.h>
#include <linux/workqueue.h>
#include <media/media-device.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-fh.h>
#include <media/v4l2-mem2mem.h>

#include "h264.h"
#include "quirks.h"
#include "rate.h"

#define VENC_NAME "bril-venc"

struct venc_dev {
	struct v4l2_device v4l2;
	struct video_device vdev;
	struct media_device media;	/* says that the node is an encoder */
	struct v4l2_m2m_dev *m2m;
	struct mutex lock;		/* ioctls and queues of all files */
	struct workqueue_struct *jobs;
	bool multiplanar;
};

struct venc_format {
	u32 fourcc;
	enum h264_layout layout;
	u32 memory_planes;	/* separately allocated: 1, or one for each colour plane */
};

/* The OUTPUT format: width and height as negotiated, so rounded up to the quirks. */
struct venc_raw {
	const struct venc_format *format;
	u32 width, height;
	u32 planes;		/* colour planes in memory: 1, 2 or 3 */
	u32 stride[3], bytes[3];
	u32 colorspace, xfer_func, ycbcr_enc, quantization;
};

/* Something to hand out on CAPTURE: all of it, or a frame's part of a split. */
struct venc_piece {
	const u8 *data;
	u32 bytes;
	u32 flags;
	bool stamped;		/* with the source's timestamp */
};

struct venc_ctx {
	struct v4l2_fh fh;
	struct venc_dev *dev;
	struct venc_quirks quirks;
	struct v4l2_ctrl_handler controls;
	struct delayed_work job;
	struct mutex finish;	/* a source's end against the start of a drain */

	struct venc_raw raw;
	struct v4l2_rect crop;
	struct v4l2_fract interval;
	u32 coded_bytes;	/* sizeimage of CAPTURE */
	u32 sequence[2];	/* of OUTPUT and CAPTURE */

	/* Written by controls, read by the job. */
	u32 bitrate, set_bitrate;	/* in use, and as the control stands */
	u32 gop;
	bool constant, rate_control, repeat_headers, separate_headers;
	u32 profile_idc, level_idc;
	unsigned long forced;	/* bit 0: the next frame is a key frame */

	/* The running encoder; the job's alone while CAPTURE streams. */
	struct h264_encoder encoder;
	struct rate rate;
	void *mosaic;
	u8 *coded;
	u32 coded_room;
	u32 owed;		/* bytes of SEI padding to come */
	u32 since_key, counter;
	bool fresh;		/* no frame has been coded since STREAMON */
	u32 frames;		/* for stalls; survives STREAMOFF where a quirk says so */
	u32 attempts;
	bool stalled;		/* stays so when the parameter is cleared */

	/* The current source's output, as far as it is not handed out yet. */
	struct venc_piece pieces[3];
	u32 pieces_made, pieces_sent, piece_at;
};

static inline struct venc_ctx *venc_ctx_of(struct v4l2_fh *fh)
{
	return container_of(fh, struct venc_ctx, fh);
}

/* formats.c */
extern const struct v4l2_ioctl_ops venc_ioctl_ops;
void venc_formats_init(struct venc_ctx *ctx);
void venc_raw_source(const struct venc_ctx *ctx, struct vb2_buffer *vb, struct h264_source *src);

/* controls.c */
int venc_controls_init(struct venc_ctx *ctx);

/* queues.c */
int venc_queues_init(void *priv, struct vb2_queue *src, struct vb2_queue *dst);
bool venc_streaming(struct venc_ctx *ctx);
void venc_queue_eos(struct venc_ctx *ctx);

/* job.c */
extern const struct v4l2_m2m_ops venc_m2m_ops;
void venc_job_work(struct work_struct *work);
int venc_encoder_start(struct venc_ctx *ctx);
void venc_encoder_stop(struct venc_ctx *ctx);
void venc_drop_pieces(struct venc_ctx *ctx);

#endif
