//go:build amd64 || arm64

package gpio

type ulong uint64

const sizeofInputEvent = 24
