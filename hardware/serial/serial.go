// Package serial tells which board this is: its serial number and model, as the
// board itself has them. It makes nothing up that another start would not make up
// again, and nothing that only root may read: the daemon and a command have to say
// the same.
package serial

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"strings"
	"unicode"
)

// Board is which board this is; "" is what nobody knows.
type Board struct{ Serial, Model string }

// Read asks this machine.
func Read() Board { return read(os.DirFS("/")) }

// The places, without the first slash. The first of each that says something counts.
const (
	treeSerial  = "proc/device-tree/serial-number"
	treeModel   = "proc/device-tree/model"
	dmiSerial   = "sys/class/dmi/id/product_serial"
	dmiModel    = "sys/class/dmi/id/product_name"
	machineID   = "etc/machine-id"
	hashedBytes = 8 // of a hashed machine-id
)

// longest is what is taken of a serial number or model, in bytes.
const longest = 64

func read(root fs.FS) Board {
	b := Board{Serial: said(root, treeSerial), Model: said(root, treeModel)}
	if b.Serial == "" && forAll(root, dmiSerial) {
		b.Serial = said(root, dmiSerial)
	}
	if b.Serial == "" {
		b.Serial = hashed(said(root, machineID))
	}
	b.Serial = strings.ReplaceAll(b.Serial, " ", "-")
	if b.Model == "" {
		b.Model = said(root, dmiModel)
	}
	return b
}

// forAll says whether everybody may read a file. Of the DMI serial number usually only
// root may.
func forAll(root fs.FS, name string) bool {
	info, err := fs.Stat(root, name)
	return err == nil && info.Mode().Perm()&0o004 != 0
}

// said returns what a file says on its one line, "" for what vendors write when they
// have nothing to say.
func said(root fs.FS, name string) string {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	text := strings.TrimSpace(strings.TrimRight(string(data), "\x00"))
	if strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		return ""
	}
	switch strings.ToLower(text) {
	case "none", "default string", "to be filled by o.e.m.", "system serial number", "not specified", "unknown", "uninitialized":
		return ""
	}
	if strings.Trim(text, "0. -") == "" {
		return ""
	}
	return text[:min(len(text), longest)]
}

// hashed keeps the machine-id itself at home, as machine-id(5) asks for.
func hashed(id string) string {
	if id == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(id))
	mac.Write([]byte("bril serial number"))
	return "m-" + hex.EncodeToString(mac.Sum(nil)[:hashedBytes])
}
