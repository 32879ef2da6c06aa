//go:build amd64 || arm64

package v4l2

const (
	sizeofFormat = 208
	sizeofBuffer = 88
	sizeofEvent  = 136
	sizeofPlane  = 64

	offsetofFormatUnion = 8
	offsetofBufferTime  = 24
	offsetofBufferM     = 64
	offsetofEventTime   = 80
	offsetofEventID     = 96
	tail                = 4 // padding at the end of Buffer
)
