// What Go calls: an openh264 engine with what it has to say.
#pragma once

#include <stddef.h>

#include "library.h"

enum { traceSize = 2048 };

typedef struct {
	Engine *engine;
	Output output; // of the last picture; its layers point into the engine
	int size;      // bytes of it, 0 for a skipped picture

	// Lines that the library logged since they were last taken, each ended by
	// '\n', cut off when full. The engine runs on its caller's thread only, so
	// that nothing writes here outside a call.
	size_t traced;
	char trace[traceSize];
} Encoder;

typedef struct {
	int width, height;
	float frameRate;
	int bitrate; // at the start
	int level;   // as in the SPS
} Settings;

// bril_open makes an encoder; *error is 0 or the library's code, and the result
// is NULL when there is no memory or no engine.
Encoder *bril_open(const Settings *settings, int *error);

void bril_close(Encoder *e);

// bril_encode encodes one picture and returns the library's code, 0 for done.
int bril_encode(Encoder *e, unsigned char *y, unsigned char *u, unsigned char *v, int lumaStride, int chromaStride,
                int width, int height, long long milliseconds, int key);

// bril_copy copies what came out into to, which has room for size bytes.
void bril_copy(const Encoder *e, unsigned char *to);

int bril_set_bitrate(Encoder *e, int bitrate);

// bril_give_back makes what the library frees go back to the system.
void bril_give_back(void);
