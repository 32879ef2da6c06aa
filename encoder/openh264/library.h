// The part of openh264's C interface (codec_api.h of 2.x) that bridge.c calls.
// The library itself is linked by mediadevices' package; its headers are out of
// cgo's reach there. The functions are weak because the archive is on
// mediadevices' linker line, not on this package's.
#pragma once

#include <stdbool.h>

enum {
	cameraRealTime = 0, // EUsageType
	rateByBitrate = 1,  // RC_MODES
	profileBaseline = 66, // EProfileIdc
	formatI420 = 23,    // EVideoFormatType

	optionBitrate = 5, // ENCODER_OPTION
	optionFrameSkip = 9,
	optionComplexity = 19,
	optionParameterSetIDs = 22,
	optionTraceLevel = 25,
	optionTraceCallback = 26,
	optionTraceContext = 27,

	constantIDs = 0,   // EParameterSetStrategy
	allLayers = 4,     // LAYER_NUM
	traceError = 1,    // levels of the trace; each includes those below it
	traceWarning = 2,
	maxLayers = 128,
};

typedef struct { // SEncParamExt
	int usage, width, height, bitrate, rateControl;
	float frameRate;
	int temporalLayers, spatialLayers;
	struct { // SSpatialLayerConfig
		int width, height;
		float frameRate;
		int bitrate, maxBitrate;
		int profile, level; // as in the SPS
		int quantizer;
	} layer;
	// What follows stays as the library fills it in; it takes less than this.
	char rest[4096];
} Parameters;

typedef struct { // SSourcePicture
	int format;
	int stride[4];
	unsigned char *data[4];
	int width, height;
	long long timestamp; // ms
} Picture;

typedef struct { // SLayerBSInfo
	unsigned char temporal, spatial, quality;
	int frameType;
	unsigned char layerType;
	int subSequence;
	int units;        // NAL units in data
	int *unitLengths; // bytes each, with start codes
	unsigned char *data;
} Layer;

typedef struct { // SFrameBSInfo
	int layerCount;
	Layer layers[maxLayers];
	int frameType;
	int size; // bytes
	long long timestamp;
} Output;

typedef struct { // SBitrateInfo
	int layer, bitrate;
} Bitrate;

typedef void (*TraceCallback)(void *context, int level, const char *line);

typedef const struct Methods *Engine;

struct Methods { // ISVCEncoderVtbl
	int (*initialize)(Engine *, const void *);
	int (*initializeExtended)(Engine *, const Parameters *);
	int (*defaultParameters)(Engine *, Parameters *);
	int (*uninitialize)(Engine *);
	int (*encode)(Engine *, const Picture *, Output *);
	int (*encodeParameterSets)(Engine *, Output *);
	int (*forceIntra)(Engine *, bool idr, int layer);
	int (*setOption)(Engine *, int option, void *value);
	int (*getOption)(Engine *, int option, void *value);
};

typedef struct { // OpenH264Version
	unsigned int major, minor, revision, reserved;
} Version;

#pragma weak WelsGetCodecVersionEx
#pragma weak WelsCreateSVCEncoder
#pragma weak WelsDestroySVCEncoder
void WelsGetCodecVersionEx(Version *version);
int WelsCreateSVCEncoder(Engine **engine);
void WelsDestroySVCEncoder(Engine *engine);
