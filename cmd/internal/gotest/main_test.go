package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	const events = `{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"=== RUN   TestGood\n"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"    a_test.go:1: chatter\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestCamera","Output":"=== RUN   TestCamera\n"}
{"Action":"output","Package":"a","Test":"TestCamera","Output":"    a_test.go:9: no camera: open /dev/video0\n"}
{"Action":"output","Package":"a","Test":"TestCamera","Output":"--- SKIP: TestCamera (0.00s)\n"}
{"Action":"skip","Package":"a","Test":"TestCamera"}
{"Action":"skip","Package":"a","Test":"TestSilent"}
{"Action":"output","Package":"a","Output":"PASS\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.01s\n"}
{"Action":"pass","Package":"a"}
{"ImportPath":"b","Action":"build-output","Output":"b.go:1:1: syntax error\n"}
{"ImportPath":"b","Action":"build-fail"}
{"Action":"output","Package":"c","Test":"TestBad","Output":"    c_test.go:3: got 1\n"}
{"Action":"output","Package":"c","Test":"TestBad","Output":"--- FAIL: TestBad (0.00s)\n"}
{"Action":"fail","Package":"c","Test":"TestBad"}
{"Action":"output","Package":"c","Output":"FAIL\tc\t0.01s\n"}
{"Action":"fail","Package":"c"}
{"Action":"output","Package":"d","Test":"TestPanics","Output":"panic: oh\n"}
{"Action":"skip","Package":"e"}
not an event`
	var out strings.Builder
	r := report{out: &out, said: map[string]string{}}
	if err := r.read(strings.NewReader(events)); err != nil {
		t.Fatal(err)
	}
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	want := "ok  \ta\t0.01s\n" +
		"b.go:1:1: syntax error\n" +
		"    c_test.go:3: got 1\n--- FAIL: TestBad (0.00s)\nFAIL\tc\t0.01s\n" +
		"not an event" + "panic: oh\n" +
		"failed: c TestBad\n" +
		"skipped: a TestCamera: no camera: open /dev/video0\nskipped: a TestSilent: no reason given\n" +
		"1 failed, 2 skipped\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
