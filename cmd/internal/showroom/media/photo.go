package media

import (
	"bytes"
	"image/jpeg"
	"io"
	"os"
)

const (
	maxPhoto  = 64 << 20 // bytes
	maxPixels = 1 << 27  // of one photo
)

// checkPhoto refuses what is no whole JPEG. The pixels are not decoded: that is
// for the browsers that show it.
func checkPhoto(path string, cut bool) error {
	if cut {
		return refuse("the photo was interrupted and is not whole")
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	if stat.Size() > maxPhoto {
		return refuse("the photo has more than %d bytes", maxPhoto)
	}
	config, err := jpeg.DecodeConfig(file)
	if err != nil {
		return orOurs(err, "the photo is no JPEG: %v")
	}
	if config.Width*config.Height == 0 || config.Width*config.Height > maxPixels {
		return refuse("the photo has %d times %d pixels", config.Width, config.Height)
	}
	end := make([]byte, 2) // EOI, ITU-T T.81 section B.1.1.3
	if _, err := file.ReadAt(end, stat.Size()-2); err != nil && err != io.EOF {
		return orOurs(err, "the photo is no JPEG: %v")
	}
	if !bytes.Equal(end, []byte{0xff, 0xd9}) {
		return refuse("the photo has no end")
	}
	return nil
}
