// The part of openh264's C interface for decoding, as library.h has that for
// encoding, and what Go calls.
#pragma once

#include "library.h"

enum {
	decodeTraceLevel = 9, // DECODER_OPTION
	traceQuiet = 0,
	concealNothing = 0, // ERROR_CON_IDC
	streamAVC = 0,      // VIDEO_BITSTREAM_TYPE
};

typedef struct { // SDecodingParam
	char *reconstructed;
	unsigned int load;
	unsigned char targetLayer;
	int concealment;
	bool parseOnly;
	struct { // SVideoProperty
		unsigned int size;
		int stream;
	} property;
} DecoderParameters;

typedef struct { // SBufferInfo
	int ready;
	unsigned long long timestampIn, timestampOut;
	int width, height, format, stride[2];
	unsigned char *data[3];
} Decoded;

typedef const struct DecoderMethods *DecoderEngine;

struct DecoderMethods { // ISVCDecoderVtbl
	long (*initialize)(DecoderEngine *, const DecoderParameters *);
	long (*uninitialize)(DecoderEngine *);
	void (*decodeFrame)(void);
	int (*decodeNoDelay)(DecoderEngine *, const unsigned char *, int size, unsigned char **planes, Decoded *);
	int (*decode)(DecoderEngine *, const unsigned char *, int size, unsigned char **planes, Decoded *);
	int (*flush)(DecoderEngine *, unsigned char **planes, Decoded *);
	void (*decodeParser)(void);
	void (*decodeFrameExtended)(void);
	long (*setOption)(DecoderEngine *, int option, void *value);
	long (*getOption)(DecoderEngine *, int option, void *value);
};

#pragma weak WelsCreateDecoder
#pragma weak WelsDestroyDecoder
long WelsCreateDecoder(DecoderEngine **engine);
void WelsDestroyDecoder(DecoderEngine *engine);

#if defined(__LP64__)
_Static_assert(sizeof(DecoderParameters) == 32, "SDecodingParam");
_Static_assert(sizeof(Decoded) == 72, "SBufferInfo");
#endif

// bril_open_decoder makes a decoder; *error is 0 or the library's code, and the
// result is NULL unless it is 0.
DecoderEngine *bril_open_decoder(long *error);

void bril_close_decoder(DecoderEngine *e);

// bril_decode decodes one access unit and returns the library's state, 0 for
// done. What comes out points into the engine.
int bril_decode(DecoderEngine *e, const unsigned char *unit, int size, Decoded *out);
