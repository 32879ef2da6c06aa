//go:build arm

package gpio

type ulong uint32

const sizeofInputEvent = 16
