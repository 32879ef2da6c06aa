// SPDX-License-Identifier: GPL-2.0
#include "rate.h"

#include "h264.h"

#define QP_START 26

void rate_init(struct rate *r)
{
	memset(r, 0, sizeof(*r));
	r->qp = QP_START;
}

void rate_frame(struct rate *r, u32 bitrate, u32 interval_num, u32 interval_den)
{
	u64 budget = div64_u64((u64)bitrate * interval_num, max(interval_den, 1U));
	u64 second = bitrate;

	r->budget = min(budget, (u64)0x7fffffff);
	r->debt -= r->budget;
	r->freeze = r->debt > (s64)second;
	if (r->debt > 8 * (s64)r->budget)
		r->qp += 3;
	else if (r->debt > 2 * (s64)r->budget)
		r->qp += 1;
	else if (r->debt <= 0 && r->qp > H264_QP_MIN)
		r->qp -= 1;
	r->qp = min(r->qp, (u32)H264_QP_MAX);
}

u32 rate_spend(struct rate *r, u32 bytes, bool pad, u32 room)
{
	u32 padding = 0;

	r->debt += 8 * (s64)bytes;
	if (r->debt < 0 && pad) {
		padding = min((u64)-r->debt / 8, (u64)room);
		r->debt += 8 * (s64)padding;
	}
	/* What stayed unused of a variable rate, or did not fit, is not saved up. */
	r->debt = max(r->debt, -8 * (s64)r->budget);
	return padding;
}
