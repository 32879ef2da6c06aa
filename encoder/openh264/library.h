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

	// The range in which its rate control moves; it refuses a wider one.
	minQuantizer = 12,
	maxQuantizer = 42,

	optionBitrate = 5, // ENCODER_OPTION
	optionTraceLevel = 25,
	optionTraceCallback = 26,
	optionTraceContext = 27,

	constantIDs = 0,   // EParameterSetStrategy
	allLayers = 4,     // LAYER_NUM
	traceWarning = 2,  // with what is worse
	maxLayers = 128,
};

typedef struct { // SSpatialLayerConfig
	int width, height;
	float frameRate;
	int bitrate, maxBitrate;
	int profile, level; // as in the SPS
	int quantizer;
	struct { // SSliceArgument
		int mode;
		unsigned int count, macroblocks[35], sizeConstraint;
	} slices;
	bool signalPresent;
	unsigned char signalFormat;
	bool fullRange, colourPresent;
	unsigned char primaries, transfer, matrix;
	bool aspectPresent;
	int aspect;
	unsigned short aspectWidth, aspectHeight;
} SpatialLayer;

typedef struct { // SEncParamExt
	int usage, width, height, bitrate, rateControl;
	float frameRate;
	int temporalLayers, spatialLayers;
	SpatialLayer layers[4];
	int complexity;
	unsigned int intraPeriod;
	int references;
	int parameterSetIDs;
	bool prefixUnits, sei, simulcast;
	int padding;
	int entropyCoding;
	bool frameSkip;
	int maxBitrate;
	int maxQuantizer, minQuantizer;
	unsigned int maxUnit;
	bool longTerm;
	int longTermReferences;
	unsigned int longTermPeriod;
	unsigned short threads;
	bool balance;
	int loopFilterOff, loopFilterAlpha, loopFilterBeta;
	bool denoise, backgroundDetection, adaptiveQuantizer, cropping, sceneChangeDetection;
	bool losslessLink;
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

// Another layout would be another library: these are the sizes of 2.1.1 on
// processors of 64 bits.
#if defined(__LP64__)
_Static_assert(sizeof(SpatialLayer) == 200, "SSpatialLayerConfig");
_Static_assert(sizeof(Parameters) == 916, "SEncParamExt");
_Static_assert(sizeof(Picture) == 72, "SSourcePicture");
_Static_assert(sizeof(Output) == 5144, "SFrameBSInfo");
#endif
