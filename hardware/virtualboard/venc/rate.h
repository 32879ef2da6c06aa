/* SPDX-License-Identifier: GPL-2.0 */
/* Rate control: how coarse the next picture is, and how much padding follows it. */
#ifndef VENC_RATE_H
#define VENC_RATE_H

#include "port.h"

struct rate {
	u32 qp;
	bool freeze;	/* the next picture repeats the last: a second's worth is owed */
	s64 debt;	/* bits sent beyond the set rate; never negative after padding */
	u32 budget;	/* bits of one frame */
};

void rate_init(struct rate *r);

/* Before a picture. The frame takes interval_num / interval_den seconds. */
void rate_frame(struct rate *r, u32 bitrate, u32 interval_num, u32 interval_den);

/* After it: the bytes of padding that a constant rate asks for, at most room. */
u32 rate_spend(struct rate *r, u32 bytes, bool pad, u32 room);

#endif
