// Package m2m finds the V4L2 stateful H.264 encoders that the chips of boards
// have. Source: https://docs.kernel.org/userspace-api/media/v4l/dev-encoder.html
package m2m
