// SPDX-License-Identifier: GPL-2.0
#include "quirks.h"

#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/moduleparam.h>

#define PARAM(type, name, value, mode, text) \
	static type name = value; \
	module_param(name, type, mode); \
	MODULE_PARM_DESC(name, text)

PARAM(bool, multiplanar, true, 0444, "offer the multi-planar API (default), or the single-planar one");

/* Read when the device is opened. */
PARAM(uint, stride_align, 1, 0644, "bytesperline of OUTPUT is a multiple of this: Broadcom 64 or 32, Qualcomm 128");
PARAM(uint, width_align, 2, 0644, "the width of OUTPUT is a multiple of this: wave5 32");
PARAM(uint, height_align, 2, 0644, "the height of OUTPUT is a multiple of this: Broadcom and wave5 16, Qualcomm 32");
PARAM(uint, keyframe_control, 0, 0644, "forced key frames: 0 honoured, 1 lost unless both queues stream (Broadcom, Qualcomm), 2 no such control (wave5)");
PARAM(uint, bitrate_control, 0, 0644, "bitrate: 0 honoured, 1 read only at STREAMON (wave5), 2 lost unless both queues stream (Qualcomm)");
PARAM(bool, controls_frozen, false, 0644, "controls set after REQBUFS are ignored (i.MX8MP)");
PARAM(bool, frame_rc, true, 0644, "default of FRAME_RC_ENABLE (wave5: off)");
PARAM(uint, headers, 0, 0644, "parameter sets: 0 as the controls say, 1 only in the first buffer (Broadcom), 2 separate by default (Qualcomm), 3 always separate, 4 before every key frame");
PARAM(bool, keyframe_flag, true, 0644, "flag buffers as key frames (wave5: not)");
PARAM(uint, split_bytes, 0, 0644, "split coded frames over buffers of at most this many bytes (Broadcom 524288); 0: one buffer a frame");
PARAM(uint, first_buffer, 0, 0644, "before the first frame: 0 nothing, 1 an empty buffer, 2 a junk buffer (Broadcom)");
PARAM(uint, import, 0, 0644, "DMABUF: 0 imported, 1 not offered by REQBUFS, 2 refused by QBUF");
PARAM(uint, padding, 1, 0644, "constant bitrate is met with: 0 nothing, 1 filler data, 2 SEI messages");

/* Read for every frame. */
PARAM(uint, stall_after, 0, 0644, "no output after this many frames, until STREAMOFF; 0: never");
PARAM(uint, stall_repeat_after, 0, 0644, "the same, only with REPEAT_SEQ_HEADER set (Broadcom: 20000)");
PARAM(bool, stall_until_close, false, 0644, "a stall lasts until the device is closed");
PARAM(uint, eio_every, 0, 0644, "every Nth frame fails: both buffers come back with the error flag; 0: none");
PARAM(uint, eio_above, 0, 0644, "frames fail likewise while the bitrate is above this, in bits per second; 0: never");
PARAM(uint, latency_ms, 0, 0644, "milliseconds that a frame takes");

void venc_quirks_read(struct venc_quirks *q)
{
	*q = (struct venc_quirks){
		.stride_align = clamp(READ_ONCE(stride_align), 1U, 4096U),
		.width_align = clamp(READ_ONCE(width_align), 2U, 256U) & ~1U,
		.height_align = clamp(READ_ONCE(height_align), 2U, 256U) & ~1U,
		.keyframe_control = READ_ONCE(keyframe_control),
		.bitrate_control = READ_ONCE(bitrate_control),
		.controls_frozen = READ_ONCE(controls_frozen),
		.frame_rc = READ_ONCE(frame_rc),
		.headers = READ_ONCE(headers),
		.keyframe_flag = READ_ONCE(keyframe_flag),
		.split_bytes = READ_ONCE(split_bytes),
		.first_buffer = READ_ONCE(first_buffer),
		.import = READ_ONCE(import),
		.padding = READ_ONCE(padding),
	};
}

static bool reached(u32 frames, u32 limit)
{
	return limit && frames >= limit;
}

bool venc_stalls(u32 frames, bool repeats_headers)
{
	return reached(frames, READ_ONCE(stall_after)) ||
	       (repeats_headers && reached(frames, READ_ONCE(stall_repeat_after)));
}

bool venc_stall_until_close(void)
{
	return READ_ONCE(stall_until_close);
}

u32 venc_latency_ms(void)
{
	return min(READ_ONCE(latency_ms), 60000U);
}

u32 venc_eio_every(void)
{
	return READ_ONCE(eio_every);
}

bool venc_eio_at(u32 bitrate)
{
	u32 above = READ_ONCE(eio_above);

	return above && bitrate > above;
}

bool venc_multiplanar(void)
{
	return multiplanar;
}
