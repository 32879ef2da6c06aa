package serial

import (
	"io/fs"
	"testing"
	"testing/fstest"
)

func TestRead(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o444} }
	private := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o400} }
	const id = "0123456789abcdef0123456789abcdef\n"
	for _, test := range []struct {
		name string
		root fstest.MapFS
		want Board
	}{
		{"a board with a device tree", fstest.MapFS{treeSerial: file("10000000abcdef01\x00"), treeModel: file("Raspberry Pi Zero 2 W Rev 1.0\x00"), machineID: file(id)},
			Board{"10000000abcdef01", "Raspberry Pi Zero 2 W Rev 1.0"}},
		{"a PC", fstest.MapFS{dmiSerial: file("PF 2X 11\n"), dmiModel: file("20XW\n"), machineID: file(id)}, Board{"PF-2X-11", "20XW"}},
		{"what only root may read", fstest.MapFS{dmiSerial: private("PF2X11\n"), machineID: file(id)}, Board{"m-76890e38a4ffbb4d", ""}},
		{"a vendor without words", fstest.MapFS{dmiSerial: file("To be filled by O.E.M.\n"), dmiModel: file("0\n"), machineID: file(id)}, Board{"m-76890e38a4ffbb4d", ""}},
		{"control characters", fstest.MapFS{treeSerial: file("a\x1b[2J"), machineID: file(id)}, Board{"m-76890e38a4ffbb4d", ""}},
		{"nothing", fstest.MapFS{}, Board{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := read(fs.FS(test.root)); got != test.want {
				t.Errorf("%+v, want %+v", got, test.want)
			}
		})
	}
}
