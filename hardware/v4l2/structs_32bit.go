//go:build arm

package v4l2

const (
	sizeofFormat = 204
	sizeofBuffer = 68
	sizeofEvent  = 128
	sizeofPlane  = 60

	offsetofFormatUnion = 4
	offsetofBufferTime  = 20
	offsetofBufferM     = 52
	offsetofEventTime   = 80
	offsetofEventID     = 88
	tail                = 0
)
