// SPDX-License-Identifier: GPL-2.0
/*
 * The bit writer and CAVLC. Only what this encoder's streams contain is here: all
 * its residual blocks have nC == 0 or are chroma DC, so two coeff_token tables do.
 */
#include "cavlc.h"

struct code {
	u8 len, bits;
};

/* Table 9-5, column 0 <= nC < 2, by total coefficients and trailing ones. */
static const struct code luma_token[17][4] = {
	{ { 1, 1 } },
	{ { 6, 5 }, { 2, 1 } },
	{ { 8, 7 }, { 6, 4 }, { 3, 1 } },
	{ { 9, 7 }, { 8, 6 }, { 7, 5 }, { 5, 3 } },
	{ { 10, 7 }, { 9, 6 }, { 8, 5 }, { 6, 3 } },
	{ { 11, 7 }, { 10, 6 }, { 9, 5 }, { 7, 4 } },
	{ { 13, 15 }, { 11, 6 }, { 10, 5 }, { 8, 4 } },
	{ { 13, 11 }, { 13, 14 }, { 11, 5 }, { 9, 4 } },
	{ { 13, 8 }, { 13, 10 }, { 13, 13 }, { 10, 4 } },
	{ { 14, 15 }, { 14, 14 }, { 13, 9 }, { 11, 4 } },
	{ { 14, 11 }, { 14, 10 }, { 14, 13 }, { 13, 12 } },
	{ { 15, 15 }, { 15, 14 }, { 14, 9 }, { 14, 12 } },
	{ { 15, 11 }, { 15, 10 }, { 15, 13 }, { 14, 8 } },
	{ { 16, 15 }, { 15, 1 }, { 15, 9 }, { 15, 12 } },
	{ { 16, 11 }, { 16, 14 }, { 16, 13 }, { 15, 8 } },
	{ { 16, 7 }, { 16, 10 }, { 16, 9 }, { 16, 12 } },
	{ { 16, 4 }, { 16, 6 }, { 16, 5 }, { 16, 8 } },
};

/* Table 9-5, column nC == -1. */
static const struct code chroma_token[5][4] = {
	{ { 2, 1 } },
	{ { 6, 7 }, { 1, 1 } },
	{ { 6, 4 }, { 6, 6 }, { 3, 1 } },
	{ { 6, 3 }, { 7, 3 }, { 7, 2 }, { 6, 5 } },
	{ { 6, 2 }, { 8, 3 }, { 8, 2 }, { 7, 0 } },
};

/* Tables 9-7 and 9-8, by total coefficients - 1 and total zeros. */
static const struct code luma_zeros[15][16] = {
	{ { 1, 1 }, { 3, 3 }, { 3, 2 }, { 4, 3 }, { 4, 2 }, { 5, 3 }, { 5, 2 }, { 6, 3 },
	  { 6, 2 }, { 7, 3 }, { 7, 2 }, { 8, 3 }, { 8, 2 }, { 9, 3 }, { 9, 2 }, { 9, 1 } },
	{ { 3, 7 }, { 3, 6 }, { 3, 5 }, { 3, 4 }, { 3, 3 }, { 4, 5 }, { 4, 4 }, { 4, 3 },
	  { 4, 2 }, { 5, 3 }, { 5, 2 }, { 6, 3 }, { 6, 2 }, { 6, 1 }, { 6, 0 } },
	{ { 4, 5 }, { 3, 7 }, { 3, 6 }, { 3, 5 }, { 4, 4 }, { 4, 3 }, { 3, 4 }, { 3, 3 },
	  { 4, 2 }, { 5, 3 }, { 5, 2 }, { 6, 1 }, { 5, 1 }, { 6, 0 } },
	{ { 5, 3 }, { 3, 7 }, { 4, 5 }, { 4, 4 }, { 3, 6 }, { 3, 5 }, { 3, 4 }, { 4, 3 },
	  { 3, 3 }, { 4, 2 }, { 5, 2 }, { 5, 1 }, { 5, 0 } },
	{ { 4, 5 }, { 4, 4 }, { 4, 3 }, { 3, 7 }, { 3, 6 }, { 3, 5 }, { 3, 4 }, { 3, 3 },
	  { 4, 2 }, { 5, 1 }, { 4, 1 }, { 5, 0 } },
	{ { 6, 1 }, { 5, 1 }, { 3, 7 }, { 3, 6 }, { 3, 5 }, { 3, 4 }, { 3, 3 }, { 3, 2 },
	  { 4, 1 }, { 3, 1 }, { 6, 0 } },
	{ { 6, 1 }, { 5, 1 }, { 3, 5 }, { 3, 4 }, { 3, 3 }, { 2, 3 }, { 3, 2 }, { 4, 1 },
	  { 3, 1 }, { 6, 0 } },
	{ { 6, 1 }, { 4, 1 }, { 5, 1 }, { 3, 3 }, { 2, 3 }, { 2, 2 }, { 3, 2 }, { 3, 1 },
	  { 6, 0 } },
	{ { 6, 1 }, { 6, 0 }, { 4, 1 }, { 2, 3 }, { 2, 2 }, { 3, 1 }, { 2, 1 }, { 5, 1 } },
	{ { 5, 1 }, { 5, 0 }, { 3, 1 }, { 2, 3 }, { 2, 2 }, { 2, 1 }, { 4, 1 } },
	{ { 4, 0 }, { 4, 1 }, { 3, 1 }, { 3, 2 }, { 1, 1 }, { 3, 3 } },
	{ { 4, 0 }, { 4, 1 }, { 2, 1 }, { 1, 1 }, { 3, 1 } },
	{ { 3, 0 }, { 3, 1 }, { 1, 1 }, { 2, 1 } },
	{ { 2, 0 }, { 2, 1 }, { 1, 1 } },
	{ { 1, 0 }, { 1, 1 } },
};

/* Table 9-9(a). */
static const struct code chroma_zeros[3][4] = {
	{ { 1, 1 }, { 2, 1 }, { 3, 1 }, { 3, 0 } },
	{ { 1, 1 }, { 2, 1 }, { 2, 0 } },
	{ { 1, 1 }, { 1, 0 } },
};

/* Table 9-10, by min(zeros left, 7) - 1 and run before. */
static const struct code run_before[7][15] = {
	{ { 1, 1 }, { 1, 0 } },
	{ { 1, 1 }, { 2, 1 }, { 2, 0 } },
	{ { 2, 3 }, { 2, 2 }, { 2, 1 }, { 2, 0 } },
	{ { 2, 3 }, { 2, 2 }, { 2, 1 }, { 3, 1 }, { 3, 0 } },
	{ { 2, 3 }, { 2, 2 }, { 3, 3 }, { 3, 2 }, { 3, 1 }, { 3, 0 } },
	{ { 2, 3 }, { 3, 0 }, { 3, 1 }, { 3, 3 }, { 3, 2 }, { 3, 5 }, { 3, 4 } },
	{ { 3, 7 }, { 3, 6 }, { 3, 5 }, { 3, 4 }, { 3, 3 }, { 3, 2 }, { 3, 1 }, { 4, 1 },
	  { 5, 1 }, { 6, 1 }, { 7, 1 }, { 8, 1 }, { 9, 1 }, { 10, 1 }, { 11, 1 } },
};

void bits_init(struct bits *b, void *buf, size_t size)
{
	memset(b, 0, sizeof(*b));
	b->start = buf;
	b->p = buf;
	b->end = b->p + size;
}

size_t bits_len(const struct bits *b)
{
	return b->p - b->start;
}

static void raw_byte(struct bits *b, u8 v)
{
	if (b->p == b->end) {
		b->overflow = true;
		return;
	}
	*b->p++ = v;
}

static void payload_byte(struct bits *b, u8 v)
{
	if (b->zeros >= 2 && v <= 3) {
		raw_byte(b, 3);
		b->zeros = 0;
	}
	raw_byte(b, v);
	b->zeros = v ? 0 : b->zeros + 1;
}

void nal_start(struct bits *b, u8 header)
{
	raw_byte(b, 0);
	raw_byte(b, 0);
	raw_byte(b, 0);
	raw_byte(b, 1);
	raw_byte(b, header);
	b->acc = 0;
	b->fill = 0;
	b->zeros = 0;
}

void nal_end(struct bits *b)
{
	put(b, 1, 1);
	if (b->fill)
		put(b, 8 - b->fill, 0);
}

void put(struct bits *b, u32 n, u32 value)
{
	b->acc = b->acc << n | value;
	b->fill += n;
	while (b->fill >= 8) {
		b->fill -= 8;
		payload_byte(b, b->acc >> b->fill);
	}
}

void put_ue(struct bits *b, u32 value)
{
	u32 len = fls(value + 1);

	put(b, len - 1, 0);
	put(b, len, value + 1);
}

void put_se(struct bits *b, s32 value)
{
	put_ue(b, value > 0 ? 2 * value - 1 : -2 * value);
}

static void put_code(struct bits *b, struct code c)
{
	put(b, c.len, c.bits);
}

/*
 * 9.2.2.1. The encoder's levels stay below 4096, so level_prefix 15 is the largest.
 */
static void put_level(struct bits *b, u32 code, u32 suffix_len)
{
	u32 escape = suffix_len ? 15 << suffix_len : 30;

	if (code >= escape) {
		put(b, 16, 1);
		put(b, 12, code - escape);
	} else if (suffix_len) {
		put(b, (code >> suffix_len) + 1, 1);
		put(b, suffix_len, code & ((1 << suffix_len) - 1));
	} else if (code < 14) {
		put(b, code + 1, 1);
	} else {
		put(b, 15, 1);
		put(b, 4, code - 14);
	}
}

static void put_levels(struct bits *b, const s16 *level, u32 total, u32 ones)
{
	u32 suffix_len = total > 10 && ones < 3;
	u32 i;

	for (i = 0; i < ones; i++)
		put(b, 1, level[i] < 0);
	for (; i < total; i++) {
		u32 size = abs(level[i]);
		u32 code = 2 * size - (level[i] > 0 ? 2 : 1);

		if (i == ones && ones < 3)
			code -= 2;	/* it cannot be +-1: that were a trailing one */
		put_level(b, code, suffix_len);
		if (!suffix_len)
			suffix_len = 1;
		if (size > 3U << (suffix_len - 1) && suffix_len < 6)
			suffix_len++;
	}
}

static void put_runs(struct bits *b, const u8 *run, u32 total, u32 zeros)
{
	u32 i;

	for (i = 0; i + 1 < total && zeros; i++) {
		put_code(b, run_before[min(zeros, 7U) - 1][run[i]]);
		zeros -= run[i];
	}
}

/* The nonzero levels and the zeros before each, highest frequency first. */
struct block {
	s16 level[16];
	u8 run[16];
	u32 total, ones, zeros;
};

static void scan(struct block *k, const s16 *coeff, int n)
{
	bool trailing = true;

	memset(k, 0, sizeof(*k));
	while (n--) {
		if (!coeff[n]) {
			if (k->total) {
				k->run[k->total - 1]++;
				k->zeros++;
			}
			continue;
		}
		trailing = trailing && abs(coeff[n]) == 1 && k->ones < 3;
		k->ones += trailing;
		k->level[k->total++] = coeff[n];
	}
}

void put_luma_dc(struct bits *b, const s16 coeff[16])
{
	struct block k;

	scan(&k, coeff, 16);
	put_code(b, luma_token[k.total][k.ones]);
	if (!k.total)
		return;
	put_levels(b, k.level, k.total, k.ones);
	if (k.total < 16)
		put_code(b, luma_zeros[k.total - 1][k.zeros]);
	put_runs(b, k.run, k.total, k.zeros);
}

void put_chroma_dc(struct bits *b, const s16 coeff[4])
{
	struct block k;

	scan(&k, coeff, 4);
	put_code(b, chroma_token[k.total][k.ones]);
	if (!k.total)
		return;
	put_levels(b, k.level, k.total, k.ones);
	if (k.total < 4)
		put_code(b, chroma_zeros[k.total - 1][k.zeros]);
	put_runs(b, k.run, k.total, k.zeros);
}
