package virtualboard

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func testBuilder(t *testing.T) (b *builder, said chan string) {
	said = make(chan string, 100)
	return &builder{cache: t.TempDir(), log: func(line string) { said <- line }}, said
}

// What one build has kept, another with other content does not touch.
func TestKeep(t *testing.T) {
	b, _ := testBuilder(t)
	keep := func(content string) string {
		t.Helper()
		path, err := b.keep("tree", []byte(content))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(path); string(data) != content {
			t.Errorf("%s holds %q, %v", path, data, err)
		}
		return path
	}
	first, second := keep("first"), keep("second")
	if first == second || keep("first") != first {
		t.Errorf("the name does not tell the content: %s, %s", first, second)
	}
	long := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(first, long, long); err != nil {
		t.Fatal(err)
	}
	keep("second")
	left, err := filepath.Glob(filepath.Join(b.cache, "*"))
	if !slices.Equal(left, []string{second}) {
		t.Errorf("the cache holds %q, %v", left, err)
	}
}

// Two builds in one cache take turns, and the second says what it waits for.
func TestLock(t *testing.T) {
	b, said := testBuilder(t)
	unlock, err := b.lock()
	if err != nil {
		t.Fatal(err)
	}
	locked := make(chan error, 1)
	go func() {
		again, err := b.lock()
		if err == nil {
			err = again()
		}
		locked <- err
	}()
	<-said
	select {
	case err := <-locked:
		t.Fatalf("locked twice: %v", err)
	default:
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if err := <-locked; err != nil {
		t.Error(err)
	}
}
