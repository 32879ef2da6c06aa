#include "bridge.h"
#include "decoder.h"

#include <string.h>

static long initialize(DecoderEngine *e) {
	DecoderParameters p = {
		.targetLayer = 255, // the best there is
		.concealment = concealNothing,
		.property = {sizeof p.property, streamAVC},
	};
	int level = traceQuiet; // its default prints to stderr; the state says enough
	long error = (*e)->setOption(e, decodeTraceLevel, &level);
	return error != 0 ? error : (*e)->initialize(e, &p);
}

DecoderEngine *bril_open_decoder(long *error) {
	bril_give_back();
	DecoderEngine *e = NULL;
	*error = WelsCreateDecoder(&e);
	if (*error == 0 && e == NULL)
		*error = 2; // unknown reason
	if (*error != 0)
		return NULL;
	*error = initialize(e);
	if (*error == 0)
		return e;
	WelsDestroyDecoder(e);
	return NULL;
}

void bril_close_decoder(DecoderEngine *e) {
	(*e)->uninitialize(e);
	WelsDestroyDecoder(e);
}

int bril_decode(DecoderEngine *e, const unsigned char *unit, int size, Decoded *out) {
	unsigned char *planes[3] = {NULL, NULL, NULL};
	unsigned long long timestamp = out->timestampIn;
	memset(out, 0, sizeof *out);
	out->timestampIn = timestamp;
	int state = (*e)->decodeNoDelay(e, unit, size, planes, out);
	// Above baseline it keeps a picture back, as one that is shown earlier may
	// follow. Without B-pictures none does.
	if (state == 0 && out->ready != 1)
		state = (*e)->flush(e, planes, out);
	memcpy(out->data, planes, sizeof planes);
	return state;
}
