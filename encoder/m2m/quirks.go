package m2m

// quirks are what a driver does otherwise than the kernel's document says, as far
// as that cannot be found out by asking it. All the rest is asked, or seen by what
// comes out: rows, picture sizes, missing controls, headers, flags.
type quirks struct {
	// restartForRate: a bitrate is taken only when the queues start.
	restartForRate bool
	// restartForKey: the same of key frames, or there is no control for them.
	restartForKey bool
	// coded is the least size of a coded buffer, in bytes; 0: by the picture.
	coded uint32
	// source is where that is known from.
	source string
}

// quirksOf returns what is known of a driver. The zero value is the kernel's
// document.
func quirksOf(driver string) quirks {
	switch driver {
	case "bcm2835-codec": // Raspberry Pi Zero 2, 3, 4
		return quirks{
			// Frames larger than the buffer are split over several.
			coded:  1 << 20,
			source: "drivers/staging/vc04_services/bcm2835-codec in github.com/raspberrypi/linux; its issue 4520 is why REPEAT_SEQ_HEADER stays 0",
		}
	case "wave5-enc": // TI AM62A, AM62P, AM67
		return quirks{
			restartForRate: true,
			restartForKey:  true,
			source:         "drivers/media/platform/chips-media/wave5/wave5-vpu-enc.c: no FORCE_KEY_FRAME; s_ctrl only stores, start_streaming reads",
		}
	case "vsi_v4l2enc": // NXP i.MX8MP
		return quirks{
			restartForRate: true,
			restartForKey:  true,
			source:         "github.com/VeriSilicon vsi_v4l2 with vsidaemon: controls behind REQBUFS reach the daemon at the next start",
		}
	case "venus", "qcom-venus": // Qualcomm
		return quirks{source: "drivers/media/platform/qcom/venus/venc_ctrls.c: bitrate and key frames only while both queues stream, which is when they are set here"}
	case "bril-venc":
		return quirks{source: "hardware/virtualboard/venc: as its module parameters say"}
	}
	return quirks{}
}
