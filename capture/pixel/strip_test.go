package pixel

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"slices"
	"strings"
	"testing"
)

// insert puts segments behind the SOI marker.
func insert(data []byte, segments ...[]byte) []byte {
	return slices.Concat(append([][]byte{data[:2]}, append(segments, data[2:])...)...)
}

func segmentOf(marker byte, body string) []byte { return appendSegment(nil, marker, []byte(body)) }

// markers returns the segments of a JPEG in their order, scans as SOS.
func markers(t testing.TB, data []byte) (list []byte, bodies [][]byte) {
	t.Helper()
	for at := 2; at < len(data); {
		marker, body, next, err := segment(data, at)
		if err != nil {
			t.Fatal(err)
		}
		list, bodies = append(list, marker), append(bodies, body)
		if at = next; marker == markerSOS {
			at = endOfScan(data, next)
		}
	}
	return list, bodies
}

const adobe = "Adobe\x00\x64secr\x01"

func TestStrip(t *testing.T) {
	picture := withoutJFIF(t, file(t, "422.jpg"))
	jfif := segmentOf(markerAPP0, "JFIF\x00\x01\x01\x01\x00\x48\x00\x48\x01\x01secret")
	h, err := scan(picture)
	if err != nil {
		t.Fatal(err)
	}
	endless := picture[:len(picture)-2]
	tests := map[string]struct {
		data []byte
		want []byte // markers in front of the tables
	}{
		"nothing to strip":  {picture, nil},
		"EXIF":              {insert(picture, segmentOf(0xe1, "Exif\x00\x00secret")), nil},
		"all APPn":          {insert(picture, segmentOf(0xe2, "secret"), segmentOf(0xe4, "secret"), segmentOf(0xef, "secret")), nil},
		"AVI1":              {insert(picture, segmentOf(markerAPP0, "AVI1secret")), nil},
		"comment":           {insert(picture, segmentOf(0xfe, "secret")), nil},
		"JPGn":              {insert(picture, segmentOf(0xf7, "secret")), nil},
		"JFIF":              {insert(picture, jfif), []byte{markerAPP0}},
		"JFIF twice":        {insert(picture, jfif, segmentOf(0xe0, "JFXX\x00secret"), jfif), []byte{markerAPP0}},
		"Adobe":             {insert(picture, segmentOf(markerAPPE, adobe)), []byte{markerAPPE}},
		"Adobe of JFIF":     {insert(picture, segmentOf(markerAPPE, adobe), jfif), []byte{markerAPP0}},
		"other APP14":       {insert(picture, segmentOf(markerAPPE, "Adobsecret-secret")), nil},
		"behind the end":    {append(bytes.Clone(picture), "secret"...), nil},
		"a second picture":  {append(bytes.Clone(picture), insert(picture, segmentOf(0xfe, "secret"))...), nil},
		"fill bytes":        {insert(picture, []byte{0xff, 0xff}), nil},
		"without an end":    {endless, nil},
		"rubbish at end":    {append(bytes.Clone(endless), 0xff, 0xe1, 0xff, 0xff, 's', 'e', 'c', 'r', 'e', 't'), nil},
		"ends in 0xff":      {append(bytes.Clone(endless), 0xff, 0xff), nil},
		"comment at end":    {slices.Concat(endless, segmentOf(0xfe, "secret"), []byte{0xff, markerEOI}), nil},
		"second frame":      {slices.Concat(endless, picture[sofAt(t, picture):h.scan], []byte{0xff, markerEOI}), nil},
		"no Huffman tables": {withoutTables(t, picture), nil},
	}
	for name, test := range tests {
		for _, exif := range []string{"", "Exif\x00\x00ours"} {
			got, err := Strip([]byte("kept"), test.data, []byte(exif))
			if err != nil || !bytes.HasPrefix(got, []byte("kept\xff\xd8")) {
				t.Errorf("%s: %v, %.10q", name, err, got)
				continue
			}
			got = got[4:]
			if at := bytes.Index(got, []byte("secr")); at >= 0 {
				t.Errorf("%s: something is left at %d", name, at)
			}
			list, bodies := markers(t, got)
			want := slices.Clone(test.want)
			if exif != "" {
				at := 0
				if len(want) > 0 && want[0] == markerAPP0 {
					at = 1
				}
				want = slices.Insert(want, at, markerAPP1)
				if i := slices.Index(list, markerAPP1); i < 0 || string(bodies[i]) != exif {
					t.Errorf("%s: EXIF is not there", name)
				}
			}
			if !bytes.HasPrefix(list, want) || slices.ContainsFunc(list[len(want):], func(m byte) bool { return m >= 0xe0 }) {
				t.Errorf("%s: markers %x, want %x first and no others of this kind", name, list, want)
			}
			samePicture(t, name, got, picture)
		}
	}
}

// The picture's own bytes are not touched.
func TestStripLeavesTheRest(t *testing.T) {
	picture := withoutJFIF(t, file(t, "420.jpg"))
	got, err := Strip(nil, insert(picture, segmentOf(0xe1, "Exif"), segmentOf(0xfe, "x")), nil)
	if err != nil || !bytes.Equal(got, picture) {
		t.Errorf("%v; %d bytes, want the %d of before", err, len(got), len(picture))
	}
}

func TestStripRefuses(t *testing.T) {
	for name, data := range map[string][]byte{
		"empty": nil, "no JPEG": []byte("GIF89a"), "no picture": {0xff, 0xd8, 0xff, 0xd9},
		"cut": file(t, "422.jpg")[:40],
	} {
		if _, err := Strip(nil, data, nil); err == nil || !strings.Contains(err.Error(), "damaged picture") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func sofAt(t *testing.T, data []byte) int {
	t.Helper()
	return bytes.Index(data, []byte{0xff, markerSOF0})
}

// withoutJFIF takes out all APPn and comments, in the obvious way.
func withoutJFIF(t testing.TB, data []byte) []byte {
	t.Helper()
	out := append([]byte(nil), data[:2]...)
	for at := 2; ; {
		marker, _, next, err := segment(data, at)
		if err != nil {
			t.Fatal(err)
		}
		if marker == markerSOS {
			return append(out, data[at:]...)
		}
		if marker < 0xe0 {
			out = append(out, data[at:next]...)
		}
		at = next
	}
}

// samePicture compares two JPEGs pixel by pixel.
func samePicture(t *testing.T, name string, got, want []byte) {
	t.Helper()
	a, err := jpeg.Decode(bytes.NewReader(got))
	if err != nil {
		t.Errorf("%s: does not decode: %v", name, err)
		return
	}
	b, err := jpeg.Decode(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	if !equalPictures(a, b) {
		t.Errorf("%s: another picture", name)
	}
}

func equalPictures(a, b image.Image) bool {
	if a.Bounds() != b.Bounds() {
		return false
	}
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			if color.RGBAModel.Convert(a.At(x, y)) != color.RGBAModel.Convert(b.At(x, y)) {
				return false
			}
		}
	}
	return true
}

// FuzzStrip: whatever comes in, nothing but the allow-list comes out, stripping
// again changes nothing, and what decoded before decodes to the same.
func FuzzStrip(f *testing.F) {
	addJPEGs(f)
	for _, name := range []string{"420.jpg", "422.jpg"} {
		f.Add(insert(file(f, name), segmentOf(0xe1, "Exif\x00\x00secret"), segmentOf(markerAPPE, adobe), segmentOf(0xfe, "x")))
	}
	exif := []byte("Exif\x00\x00ours")
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Strip(nil, data, exif)
		if err != nil {
			return
		}
		list, bodies := markers(t, got)
		for i, marker := range list {
			switch {
			case marker == markerAPP0 && i == 0 && len(bodies[i]) == 14,
				marker == markerAPP1 && bytes.Equal(bodies[i], exif),
				marker == markerAPPE && len(bodies[i]) == 12,
				kept(marker), marker == markerSOS, marker == markerEOI && i == len(list)-1:
			default:
				t.Fatalf("segment %#x came through at place %d", marker, i)
			}
		}
		if again, err := Strip(nil, got, exif); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("stripping twice: %v, %d bytes, %d before", err, len(again), len(got))
		}
		if h, err := scan(data); err != nil || h.width*h.height > 1<<16 {
			return // nothing to decode, or too much of it for a fuzzer
		}
		before, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		after, err := jpeg.Decode(bytes.NewReader(got))
		if err != nil {
			t.Fatalf("decoded before, and now: %v", err)
		}
		if !equalPictures(before, after) {
			t.Fatal("another picture")
		}
	})
}
