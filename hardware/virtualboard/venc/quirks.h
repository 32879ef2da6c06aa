/* SPDX-License-Identifier: GPL-2.0 */
/* The module parameters: how this encoder differs from the specification. */
#ifndef VENC_QUIRKS_H
#define VENC_QUIRKS_H

#include <linux/types.h>

enum venc_keyframe_control {
	VENC_KEYFRAME_ALWAYS = 0,
	VENC_KEYFRAME_STREAMING = 1,	/* lost unless both queues stream */
	VENC_KEYFRAME_ABSENT = 2,	/* no such control */
};

enum venc_bitrate_control {
	VENC_BITRATE_LIVE = 0,
	VENC_BITRATE_STREAMON = 1,	/* read at STREAMON of CAPTURE, and never after */
	VENC_BITRATE_STREAMING = 2,	/* lost unless both queues stream */
};

enum venc_headers {
	VENC_HEADERS_CONTROLS = 0,	/* as HEADER_MODE and REPEAT_SEQ_HEADER say */
	VENC_HEADERS_FIRST = 1,		/* joined, and never repeated */
	VENC_HEADERS_SEPARATE_DEFAULT = 2, /* separate until HEADER_MODE is set to joined */
	VENC_HEADERS_SEPARATE = 3,	/* always in a buffer of their own */
	VENC_HEADERS_REPEATED = 4,	/* before every key frame */
};

enum venc_first_buffer {
	VENC_FIRST_CODED = 0,
	VENC_FIRST_EMPTY = 1,
	VENC_FIRST_JUNK = 2,
};

enum venc_import {
	VENC_IMPORT_BOTH = 0,
	VENC_IMPORT_ABSENT = 1,		/* REQBUFS with DMABUF is EINVAL */
	VENC_IMPORT_REFUSED = 2,	/* QBUF of a DMABUF is EINVAL */
};

enum venc_padding {
	VENC_PADDING_NONE = 0,
	VENC_PADDING_FILLER = 1,	/* filler data NAL units */
	VENC_PADDING_SEI = 2,		/* SEI messages, one frame late */
};

/* One open file's quirks, as they were when it was opened. */
struct venc_quirks {
	u32 stride_align, width_align, height_align;
	u32 keyframe_control, bitrate_control, headers, first_buffer, import, padding;
	u32 split_bytes;
	bool keyframe_flag, frame_rc, controls_frozen;
};

void venc_quirks_read(struct venc_quirks *q);

/* Read for every frame, so that a test can turn them on and off while it streams. */
bool venc_stalls(u32 frames, bool repeats_headers);
bool venc_stall_until_close(void);
u32 venc_latency_ms(void);
u32 venc_eio_every(void);
bool venc_eio_at(u32 bitrate);

bool venc_multiplanar(void);

#endif
