package photo

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/bril-edge/bril/capture"
	"github.com/bril-edge/bril/capture/pixel"
)

// allowed is all that a photo may say, by exiftool's names; what exiftool says of
// the file and of itself aside.
var allowed = []string{
	"IFD0:Model", "IFD0:Software", "IFD0:Orientation",
	"ExifIFD:ExifVersion", "ExifIFD:DateTimeOriginal", "ExifIFD:OffsetTimeOriginal",
	"JFIF:JFIFVersion", "JFIF:ResolutionUnit", "JFIF:XResolution", "JFIF:YResolution",
	"File:ExifByteOrder", "File:ImageWidth", "File:ImageHeight", "File:EncodingProcess",
	"File:BitsPerSample", "File:ColorComponents", "File:YCbCrSubSampling", "File:FileType", "File:FileTypeExtension", "File:MIMEType",
}

// planted is what a camera may write into its pictures and a photo must not say.
var planted = []string{
	"-GPSLatitude=52.3702", "-GPSLatitudeRef=N", "-GPSLongitude=4.8952", "-GPSLongitudeRef=E", "-GPSAltitude=3",
	"-SerialNumber=planted-serial", "-LensSerialNumber=planted-lens", "-OwnerName=planted-owner", "-Artist=planted-artist",
	"-Make=planted-make", "-Model=planted-model", "-ModifyDate=2001:02:03 04:05:06", "-UserComment=planted-usercomment",
	"-XMP-dc:Creator=planted-creator", "-XMP-exif:GPSLatitude=52.3702", "-IPTC:City=planted-city", "-Comment=planted-comment",
}

func TestExiftoolSeesTheAllowListOnly(t *testing.T) {
	need(t, "exiftool", "libimage-exiftool-perl")
	raw := texture(capture.I420, 64, 48, 2)
	tests := map[string]struct {
		frame    *capture.Frame
		rotation int
		turned   string
	}{
		"raw":                {raw, 90, ""},
		"MJPEG":              {mjpeg(t, raw), 0, ""},
		"MJPEG sideways":     {mjpeg(t, raw), 90, "Rotate 90 CW"},
		"MJPEG upside down":  {mjpeg(t, raw), 180, "Rotate 180"},
		"MJPEG other way":    {mjpeg(t, raw), 270, "Rotate 270 CW"},
		"MJPEG with a place": {withPlace(t, mjpeg(t, raw)), 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p Photo
			synctest.Test(t, func(t *testing.T) {
				taker := mustTaker(t, Config{Device: "Bril van Zoë", Software: "bril 1.2.3", Rotation: test.rotation})
				done := press(t.Context(), taker)
				taker.Offer(test.frame)
				got := <-done
				if got.err != nil {
					t.Fatal(got.err)
				}
				p = got.photo
			})
			if bytes.Contains(p.JPEG, []byte("planted")) {
				t.Error("something that was planted is in the photo")
			}
			tags := exiftool(t, p.JPEG)
			for tag, value := range tags {
				if !slices.Contains(allowed, tag) {
					t.Errorf("%s is not on the allow-list: %v", tag, value)
				}
			}
			want := map[string]any{"IFD0:Model": "Bril van Zoë", "IFD0:Software": "bril 1.2.3",
				"ExifIFD:DateTimeOriginal": "2026:03:14 12:00:00", "ExifIFD:OffsetTimeOriginal": "+02:00"}
			if test.turned != "" {
				want["IFD0:Orientation"] = test.turned
			} else if _, there := tags["IFD0:Orientation"]; there {
				t.Error("an upright picture says an orientation")
			}
			for tag, value := range want {
				if tags[tag] != value {
					t.Errorf("%s is %v, want %v", tag, tags[tag], value)
				}
			}
			if !p.TakenAt.Equal(noon) {
				t.Errorf("TakenAt is %v", p.TakenAt)
			}
		})
	}
}

// withPlace returns the picture as a camera with a GPS would have written it, with
// a thumbnail, after making sure that it is all in there.
func withPlace(t *testing.T, f *capture.Frame) *capture.Frame {
	t.Helper()
	path := filepath.Join(t.TempDir(), "camera.jpg")
	thumbnail := filepath.Join(t.TempDir(), "thumbnail.jpg")
	for _, name := range []string{path, thumbnail} {
		if err := os.WriteFile(name, f.Planes[0].Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, nil, "exiftool", slices.Concat([]string{"-q", "-overwrite_original", "-ThumbnailImage<=" + thumbnail}, planted, []string{path})...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, "planted-behind-the-end"...)
	tags := exiftool(t, data)
	for _, tag := range []string{"GPS:GPSLatitude", "IFD1:ThumbnailImage", "ExifIFD:SerialNumber", "XMP-dc:Creator", "IPTC:City", "File:Comment"} {
		if _, there := tags[tag]; !there {
			t.Fatalf("%s is not in the camera's picture: %v", tag, tags)
		}
	}
	other := *f
	other.Planes[0].Data = data
	return &other
}

// exiftool returns what it finds in a JPEG, unknown tags and warnings included.
func exiftool(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal(run(t, data, "exiftool", "-json", "-G1", "-a", "-U", "-"), &list); err != nil || len(list) != 1 {
		t.Fatalf("exiftool said %v, %v", list, err)
	}
	tags := list[0]
	for tag := range tags { // of the program, of the pipe, or computed from others
		group, name, _ := strings.Cut(tag, ":")
		if tag == "SourceFile" || group == "System" || group == "Composite" && slices.Contains([]string{"ImageSize", "Megapixels", "DateTimeOriginal", "SubSecDateTimeOriginal"}, name) ||
			tag == "ExifTool:ExifToolVersion" {
			delete(tags, tag)
		}
	}
	return tags
}

// FuzzMetadata: whatever a camera delivers as its JPEG, with our EXIF it never
// panics, says what we say, and is as long as the picture and that at most.
func FuzzMetadata(f *testing.F) {
	picture := mjpeg(f, texture(capture.I420, 16, 16, 1)).Planes[0].Data
	f.Add(picture, "Bril", "bril 1.2.3", 90)
	f.Add(picture[:len(picture)/2], "", "", 0)
	f.Add([]byte("\xff\xd8\xff\xe1\x00"), "é", "\x00", 270)
	f.Fuzz(func(t *testing.T, data []byte, device, software string, rotation int) {
		tags := exif{model: label(device), software: label(software), taken: noon, rotation: rotation}.encode()
		if len(tags) > 2000 {
			t.Fatalf("EXIF of %d bytes", len(tags))
		}
		out, err := pixel.Strip(nil, data, tags)
		if err != nil {
			return
		}
		if !bytes.Contains(out, tags) {
			t.Error("our EXIF is not in it")
		}
		// What it may have lacked: JFIF's segment anew, tables, end, its own EXIF's place.
		if len(out) > len(data)+len(tags)+4+420+2 {
			t.Errorf("%d bytes became %d", len(data), len(out))
		}
	})
}

// need skips the test where the program is missing, except where CI=true: there
// it fails.
func need(t *testing.T, program, debian string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, program, debian)
	}
}

func missing(t *testing.T, what, debian string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: apt-get install %s", what, debian)
	}
	t.Skipf("%s is missing: apt-get install %s", what, debian)
}

func run(t *testing.T, input []byte, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, said.String())
	}
	return out
}
