#include "bridge.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

// collect keeps the library's lines for Go instead of printing them to stderr.
static void collect(void *context, int level, const char *line) {
	Encoder *e = context;
	(void)level;
	size_t length = strlen(line);
	if (e->traced + length + 1 > traceSize)
		return;
	memcpy(e->trace + e->traced, line, length);
	e->trace[e->traced + length] = '\n';
	e->traced += length + 1;
}

static int set(Encoder *e, int option, void *value) {
	return (*e->engine)->setOption(e->engine, option, value);
}

// redirect has to come before the engine is initialised, which already logs.
static int redirect(Encoder *e) {
	TraceCallback callback = collect;
	void *context = e;
	int level = traceWarning;
	int error = set(e, optionTraceCallback, &callback);
	if (error == 0)
		error = set(e, optionTraceContext, &context);
	if (error == 0)
		error = set(e, optionTraceLevel, &level);
	return error;
}

static int initialize(Encoder *e, const Settings *settings) {
	Parameters p;
	int error = (*e->engine)->defaultParameters(e->engine, &p);
	if (error != 0)
		return error;
	p.usage = cameraRealTime;
	p.rateControl = rateByBitrate;
	p.width = p.layers[0].width = settings->width;
	p.height = p.layers[0].height = settings->height;
	p.frameRate = p.layers[0].frameRate = settings->frameRate;
	p.bitrate = p.layers[0].bitrate = settings->bitrate;
	p.layers[0].profile = profileBaseline;
	p.layers[0].level = settings->level;
	p.parameterSetIDs = constantIDs;
	p.minQuantizer = minQuantizer;
	p.maxQuantizer = maxQuantizer;
	p.threads = 1;
	p.frameSkip = false;
	p.backgroundDetection = false; // it leaves coloured specks where something moved away
	p.sceneChangeDetection = false; // it makes an IDR picture at each, the largest way to show one
	return (*e->engine)->initializeExtended(e->engine, &p);
}

// bril_give_back has glibc unmap each large block once it is freed. By default it maps
// only larger ones from then on, and keeps the others in an arena of the thread:
// there is an encoder for each conversation, of 9 MB, and each may have another
// thread; so has a decoder, for each photo of H.264.
void bril_give_back(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
}

Encoder *bril_open(const Settings *settings, int *error) {
	bril_give_back();
	Encoder *e = calloc(1, sizeof *e);
	if (e == NULL)
		return NULL;
	*error = WelsCreateSVCEncoder(&e->engine);
	if (*error != 0 || e->engine == NULL) {
		free(e);
		return NULL;
	}
	*error = redirect(e);
	if (*error == 0)
		*error = initialize(e, settings);
	return e;
}

void bril_close(Encoder *e) {
	(*e->engine)->uninitialize(e->engine);
	WelsDestroySVCEncoder(e->engine);
	free(e);
}

static int layerSize(const Layer *layer) {
	int size = 0;
	for (int i = 0; i < layer->units; i++)
		size += layer->unitLengths[i];
	return size;
}

int bril_encode(Encoder *e, unsigned char *y, unsigned char *u, unsigned char *v, int lumaStride, int chromaStride,
                int width, int height, long long milliseconds, int key) {
	Picture picture = {
		.format = formatI420,
		.stride = {lumaStride, chromaStride, chromaStride},
		.data = {y, u, v},
		.width = width,
		.height = height,
		.timestamp = milliseconds,
	};
	e->size = 0;
	e->output.layerCount = 0;
	if (key) {
		int error = (*e->engine)->forceIntra(e->engine, true, -1);
		if (error != 0)
			return error;
	}
	int error = (*e->engine)->encode(e->engine, &picture, &e->output);
	if (error != 0)
		return error;
	for (int i = 0; i < e->output.layerCount; i++)
		e->size += layerSize(&e->output.layers[i]);
	return 0;
}

void bril_copy(const Encoder *e, unsigned char *to) {
	for (int i = 0; i < e->output.layerCount; i++) {
		int size = layerSize(&e->output.layers[i]);
		memcpy(to, e->output.layers[i].data, size);
		to += size;
	}
}

int bril_set_bitrate(Encoder *e, int bitrate) {
	Bitrate value = {allLayers, bitrate};
	return set(e, optionBitrate, &value);
}
