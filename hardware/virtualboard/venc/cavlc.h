/* SPDX-License-Identifier: GPL-2.0 */
/* NAL units, Exp-Golomb codes and CAVLC residual blocks (ITU-T H.264 7.3, 9.1, 9.2). */
#ifndef VENC_CAVLC_H
#define VENC_CAVLC_H

#include "port.h"

/*
 * A bit writer over a buffer. Bytes inside a NAL unit get emulation prevention.
 * Writing past the end sets overflow and drops the rest.
 */
struct bits {
	u8 *start, *p, *end;
	u64 acc;
	u32 fill;	/* bits of acc not written yet, < 8 between calls */
	u32 zeros;	/* zero bytes just written, for emulation prevention */
	bool overflow;
};

void bits_init(struct bits *b, void *buf, size_t size);
size_t bits_len(const struct bits *b);

void nal_start(struct bits *b, u8 header);
void nal_end(struct bits *b);

/* At most 32 bits, most significant first. */
void put(struct bits *b, u32 n, u32 value);
void put_ue(struct bits *b, u32 value);
void put_se(struct bits *b, s32 value);

/*
 * One residual block with nC == 0: 16 coefficients in zigzag order, or the
 * 4 coefficients of a chroma DC block.
 */
void put_luma_dc(struct bits *b, const s16 coeff[16]);
void put_chroma_dc(struct bits *b, const s16 coeff[4]);

#endif
