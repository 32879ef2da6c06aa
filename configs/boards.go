package configs

// Profiles returns the boards that are known, and generic. Of two that a device
// tree fits, the first counts.
func Profiles() []Profile {
	return []Profile{
		virtual(),
		raspberryPi("raspberry-pi-zero-2w", "Raspberry Pi Zero 2 W", "raspberrypi,model-zero-2-w"),
		raspberryPi("raspberry-pi-3", "Raspberry Pi 3", "raspberrypi,3-model-b", "raspberrypi,3-model-b-plus", "raspberrypi,3-model-a-plus"),
		raspberryPi("raspberry-pi-4", "Raspberry Pi 4", "raspberrypi,4-model-b", "raspberrypi,400"),
		raspberryPi("raspberry-pi-cm4", "Raspberry Pi Compute Module 4", "raspberrypi,4-compute-module"),
		overlaid("imx8mp", "NXP i.MX 8M Plus", []string{"fsl,imx8mp"}, "cpu-thermal", "soc-thermal"),
		overlaid("am62a", "TI AM62A", []string{"ti,am62a7"}, "main0-thermal", "main1-thermal", "main2-thermal"),
		usbCamera(),
		generic(),
	}
}

// raspberryPi is a board with the 40-pin header. The names of its lines and of
// its zone are those of the kernel's device trees (gpio-line-names and
// thermal-zones in arch/arm64/boot/dts/broadcom/bcm2837-rpi-*.dts and
// bcm2711-rpi-*.dts, Linux 6.1). The lines are plain ones: no bus, clock or I2S
// microphone takes them.
func raspberryPi(name, title string, compatible ...string) Profile {
	return Profile{
		Name: name, Title: title, Compatible: compatible,
		Light:        Lamp{Line: "GPIO17", Wiring: "pin 11; LED with resistor to ground, pin 9"},
		Status:       Lamp{Line: "GPIO27", Wiring: "pin 13; LED with resistor to ground, pin 14"},
		ThermalZones: []string{"cpu-thermal"},
		Buttons: []Button{
			toGround("button1", "GPIO22", "pin 15; button to ground, pin 14"),
			toGround("button2", "GPIO23", "pin 16; button to ground, pin 14"),
		},
	}
}

// overlaid is a board whose device tree names none of its free lines. The names
// are this project's: an overlay gives them to the lines that are wired, by
// gpio-line-names of their chip. Any board with the processor is taken for one,
// for nothing else tells that it carries glasses: without the names, nothing is
// captured. The zones are of arch/arm64/boot/dts/freescale/imx8mp.dtsi and
// ti/k3-am62a-thermal.dtsi.
func overlaid(name, title string, compatible []string, zones ...string) Profile {
	const wiring = "named by an overlay"
	return Profile{
		Name: name, Title: title, Compatible: compatible, ThermalZones: zones,
		Light:   Lamp{Line: "bril-light", Wiring: wiring},
		Status:  Lamp{Line: "bril-status", Wiring: wiring},
		Buttons: []Button{toGround("button1", "bril-button1", wiring), toGround("button2", "bril-button2", wiring)},
	}
}

// Codes of linux/input-event-codes.h.
const (
	keyPause  = 119
	keyCamera = 212
)

// usbCamera is any small computer with glasses on a USB cable. It has to be asked
// for, as the computer does not tell. The button of a USB camera is KEY_CAMERA
// (drivers/media/usb/uvc/uvc_status.c).
func usbCamera() Profile {
	p := overlaid("usb-camera", "board with a USB camera", nil)
	p.Buttons = []Button{
		{Name: "button1", Key: keyCamera, Wiring: "KEY_CAMERA, of the camera or of gpio-keys"},
		{Name: "button2", Key: keyPause, Wiring: "KEY_PAUSE of gpio-keys"},
	}
	return p
}

// virtual is the emulated board of hardware/virtualboard.
func virtual() Profile {
	const wiring = "gpio-sim"
	return Profile{
		Name: "virtual", Title: "virtual board", Compatible: []string{"bril,virtual-board"},
		Light:  Lamp{Line: "LED1", Wiring: wiring},
		Status: Lamp{Line: "LED2", Wiring: wiring},
		Buttons: []Button{
			{Name: "button1", Line: "BTN1", Wiring: wiring},
			{Name: "button2", Line: "BTN2", Wiring: wiring},
		},
	}
}

// generic is any machine that nobody has described.
func generic() Profile { return Profile{Name: ProfileGeneric, Title: "not a known board"} }

// toGround is a button between a line and ground.
func toGround(name, line, wiring string) Button {
	return Button{Name: name, Line: line, ActiveLow: true, Pull: "up", Wiring: wiring}
}
