package doctor

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bril-edge/bril/hardware"
)

// PowerReading is what feeds the board, and how hot it is; nil of what it lacks.
type PowerReading struct {
	Battery     *hardware.Battery
	Temperature *hardware.Temperature
}

// JudgeBattery judges the charge by the levels of the configuration.
func JudgeBattery(r PowerReading) Verdict {
	b := r.Battery
	if b == nil {
		return Skip("this board has no battery that tells")
	}
	text := b.Name + ": charge unknown"
	if b.Percent >= 0 {
		text = fmt.Sprintf("%s: %d %%", b.Name, b.Percent)
	}
	if b.Charging {
		text += ", charging"
	}
	v := good(text)
	switch {
	case b.Charging:
	case b.Level == hardware.BatteryEmpty:
		v = bad(text+": nearly empty", "charge it; live ends by itself at this level")
	case b.Level.Worse(hardware.BatteryFine):
		v = look(text+": low", "charge it before the next conversation")
	}
	if b.Percent >= 0 {
		v = v.with(float64(b.Percent), "%")
	}
	return v
}

// JudgeTemperature judges the heat by the levels of the configuration.
func JudgeTemperature(r PowerReading) Verdict {
	t := r.Temperature
	if t == nil {
		return Skip("this board has no sensor that tells")
	}
	text := fmt.Sprintf("%.0f °C at %s", t.Celsius, t.Zone)
	v := good(text)
	switch t.Level {
	case hardware.HeatVeryHot, hardware.HeatHot:
		v = bad(text+": too hot", "let it cool; is it in the sun, or its air way covered?")
	case hardware.HeatWarm:
		v = look(text+": warm", "pictures get fewer when it gets hotter")
	}
	return v.with(tenth(t.Celsius), "°C")
}

// DiskReading is the disk of the state directory.
type DiskReading struct {
	Dir  string
	Free int64 // bytes, for this user
	Sync time.Duration
	Err  error // of writing a little
}

const (
	littleFree = 500 << 20 // bytes: some hundred photos
	noneFree   = 64 << 20
	slowSync   = 250 * time.Millisecond
	poorSync   = time.Second
)

// JudgeDisk judges space and speed.
func JudgeDisk(r DiskReading) Verdict {
	free := fmt.Sprintf("%s: %s free", r.Dir, bytes(r.Free))
	switch {
	case errors.Is(r.Err, unix.EROFS):
		return bad(r.Dir+" is read-only", "does dmesg tell of a failing card? else mount it with rw, or set control.state_dir")
	case errors.Is(r.Err, unix.ENOSPC), errors.Is(r.Err, unix.EDQUOT), r.Err == nil && r.Free < noneFree:
		return bad(free+": full", "free some space: photos and clips cannot be kept").with(float64(r.Free>>20), "MiB")
	case errors.Is(r.Err, os.ErrPermission):
		return bad(r.Err.Error(), "does the state directory belong to the user of the daemon?").code(codePermission)
	case r.Err != nil:
		return bad(r.Err.Error(), hintOf(r.Err))
	}
	text := fmt.Sprintf("%s, safe in %.0f ms", free, r.Sync.Seconds()*1000)
	const hint = "a worn or cheap card? photos take as long to be safe"
	v := good(text)
	switch {
	case r.Sync > poorSync:
		v = bad(text+": far too slow", hint)
	case r.Sync > slowSync:
		v = look(text+": slow", hint)
	case r.Free < littleFree:
		return look(free+": little", "free some space before photos and clips fill it").with(float64(r.Free>>20), "MiB")
	}
	return v.with(tenth(r.Sync.Seconds()*1000), "ms")
}

func bytes(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// SpoolReading is what waits for its upload.
type SpoolReading struct {
	Dir    string
	Items  int
	Bytes  int64
	Quota  int64
	Oldest time.Duration // how long its oldest item waits; 0 without
	Err    error
}

const (
	fullShare = 0.95
	muchShare = 0.75
	longWait  = 24 * time.Hour
)

// JudgeSpool judges how full it is.
func JudgeSpool(r SpoolReading) Verdict {
	if r.Err != nil {
		return bad("read the spool: "+r.Err.Error(), hintOf(r.Err))
	}
	share := float64(r.Bytes) / float64(r.Quota)
	text := fmt.Sprintf("%s waiting, %s of %s", plural(r.Items, "item"), bytes(r.Bytes), bytes(r.Quota))
	const hint = "does bril spool list say why they wait? uploads make room"
	v := good(text)
	switch {
	case share >= fullShare:
		v = bad(text+": full, nothing more can be taken", hint)
	case share >= muchShare:
		v = look(text+": filling up", hint)
	case r.Oldest > longWait:
		v = look(fmt.Sprintf("%s, the oldest for %.0f hours", text, r.Oldest.Hours()), hint)
	}
	return v.with(tenth(100*share), "%")
}

// JudgeConfiguration judges the configuration by the error of its reading, and by its
// warnings.
func JudgeConfiguration(path string, err error, warnings []string) Verdict {
	if path == "" {
		path = "the built-in defaults"
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return bad(err.Error(), "it has to be readable for the user of the daemon").code(codePermission)
	case err != nil:
		return bad(err.Error(), hintOf(err)).code(codeConfiguration)
	case len(warnings) > 0:
		return look(path+": "+warnings[0], "bril config check names them all").with(float64(len(warnings)), "warnings")
	}
	return good(path + ": valid")
}
