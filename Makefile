# Everything a developer types. Needs Go 1.26, make and a C/C++ compiler; each
# target says what else it wants when that is missing.

SHELL       := /bin/bash -o pipefail
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# When the commit was made, RFC 3339: the time on a board never falls below it.
BUILT       := $(shell git log -1 --format=%cI 2>/dev/null)
# The version comes by -X, so that a tree that git refuses builds too. What the
# tags leave out (the C library's resolver and user database, HTTP/2) costs three
# megabytes of memory. libstdc++ and libgcc go into the binary: boards often have
# none. libc stays shared, because libasound and libturbojpeg are loaded at run
# time. Boards have no demo, whose endpoint takes eleven megabytes.
LDFLAGS     := -X main.version=$(VERSION) -X main.built=$(BUILT) -s -w -extldflags "-static-libstdc++ -static-libgcc"
TAGS        := netgo,osusergo,nethttpomithttp2
BUILD       := -trimpath -buildvcs=false -ldflags '$(LDFLAGS)'
ARM64_CC    := aarch64-linux-gnu-gcc
ARM64_CXX   := aarch64-linux-gnu-g++

# Debian's names of architectures, and what the compilers call them.
ARCHS         ?= amd64 arm64 armhf
TRIPLE_amd64  := x86_64-linux-gnu
TRIPLE_arm64  := aarch64-linux-gnu
TRIPLE_armhf  := arm-linux-gnueabihf
GOARCH_armhf  := arm

.DEFAULT_GOAL := help
.PHONY: demo test test-board board-shell check bench bench-fleet soak build build-board build-arm64 package repository test-package manual help \
	toolchain format vet lint modules lines shell seeds

demo: build ## stream to a page on this machine, with endpoint and agent in one process
	bin/bril demo

# One package at a time: a browser that shows 30 pictures a second needs the machine.
test: toolchain ## run all tests with the race detector; skipped ones are listed at the end
	$(GO) run ./cmd/internal/gotest -race -p 1 -timeout 30m ./...

test-board: build-arm64 ## run the arm64 programs on an emulated board, with camera, encoder, buttons and light
	$(GO) run ./hardware/virtualboard/boardrun -prepare
	BRIL_BOARD=$(CURDIR)/bin/arm64 $(GO) run ./cmd/internal/gotest -p 1 -count 1 -timeout 30m ./cmd/internal/boardtest

board-shell: build-arm64 ## look around on the emulated board; this folder is /host there
	$(GO) run ./hardware/virtualboard/boardrun

check: format vet lint modules lines shell build build-arm64 seeds ## run what else must hold: linter, modules, cross build, fuzz seeds, benchmarks once

bench: build build-board ## measure CPU, memory and latency, and print the figures
	$(GO) run ./cmd/internal/bench

bench-fleet: build ## roll out to 5,000 simulated boards; ends with one line of JSON, and fails above 60 s or 1024 MiB
	@$(GO) build -o bin/fleetbench ./cmd/internal/fleetsim/fleetbench
	@bin/fleetbench

# BRIL_SEED=N repeats the choices of another run, BRIL_KILLS=N takes less time.
soak: toolchain ## kill the programs 1,000 times while they take and send photos and clips, and 500 times while the fleet's configuration changes; nothing may be lost
	BRIL_KILLS=$${BRIL_KILLS:-1000} $(GO) test -count 1 -v -timeout 3h -run '^TestKills$$' ./cmd/internal/soak
	BRIL_KILLS=$${BRIL_KILLS:-500} $(GO) test -count 1 -v -timeout 1h -run '^TestFleetKills$$' ./cmd/internal/adoption

build: toolchain ## build bin/bril and bin/showroom
	$(GO) build $(BUILD) -tags $(TAGS) -o bin/bril ./cmd/bril
	$(GO) build $(BUILD) -tags $(TAGS) -o bin/showroom ./cmd/showroom

build-board: toolchain ## build bin/board/bril, as boards have it: without the demo
	$(GO) build $(BUILD) -tags $(TAGS),nodemo -o bin/board/bril ./cmd/bril

build-arm64: toolchain ## cross-compile bin/arm64/bril for the board
	@for cc in $(ARM64_CC) $(ARM64_CXX); do command -v $$cc >/dev/null || { \
		echo "make build-arm64: $$cc is missing: apt install gcc-aarch64-linux-gnu g++-aarch64-linux-gnu" >&2; exit 1; }; done
	CGO_ENABLED=1 GOARCH=arm64 CC=$(ARM64_CC) CXX=$(ARM64_CXX) \
		$(GO) build $(BUILD) -tags $(TAGS),nodemo -o bin/arm64/bril ./cmd/bril

manual: toolchain ## write the man pages of bril and showroom to dist/man
	@$(GO) run -tags $(TAGS),nodemo ./cmd/internal/packager -pages dist/man
	@$(GO) run -tags $(TAGS),manual ./cmd/showroom dist/man

repository: ## sign the packages of dist into an apt repository, dist/repository, by the key REPOSITORY_KEY of GNUPGHOME
	@REPOSITORY_KEY='$(REPOSITORY_KEY)' configs/package/repository

test-package: package build ## install the packages in Debian userlands and from a signed repository, as root
	BRIL_PACKAGES=$(CURDIR)/dist $(GO) run ./cmd/internal/gotest -p 1 -count 1 -timeout 20m ./cmd/internal/packagetest

# The version is what git describes; PROVISION_KEY=FILE puts in the public key of
# provisioning codes.
package: $(ARCHS:%=package-%) ## write dist/bril_VERSION_ARCH.deb for ARCHS (amd64 arm64 armhf)

package-%: toolchain
	@[ -n "$(TRIPLE_$*)" ] || { echo "make package: no architecture $*: ARCHS can hold amd64, arm64 and armhf" >&2; exit 1; }
	@for cc in gcc g++; do command -v $(TRIPLE_$*)-$$cc >/dev/null || { \
		echo "make package: $(TRIPLE_$*)-$$cc is missing: apt install $$cc-$(subst _,-,$(TRIPLE_$*)), or ARCHS= others" >&2; exit 1; }; done
	CGO_ENABLED=1 GOOS=linux GOARCH=$(or $(GOARCH_$*),$*) GOARM=7 CC=$(TRIPLE_$*)-gcc CXX=$(TRIPLE_$*)-g++ \
		$(GO) build $(BUILD) -tags $(TAGS),nodemo -o bin/package/$*/bril ./cmd/bril
	@$(GO) run -tags $(TAGS),nodemo ./cmd/internal/packager -arch $* -binary bin/package/$*/bril \
		-version '$(VERSION)' -provision-key '$(PROVISION_KEY)'

help: ## list the targets
	@echo 'make TARGET, where TARGET is one of'
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What a fresh machine may lack, named before a compiler's error does.
toolchain:
	@command -v $(GO) >/dev/null || { echo "make: $(GO) is missing: install Go 1.26 from https://go.dev/dl" >&2; exit 1; }
	@for cc in "$$($(GO) env CC)" "$$($(GO) env CXX)"; do command -v $$cc >/dev/null || { \
		echo "make: the compiler $$cc is missing: apt install gcc g++" >&2; exit 1; }; done

format:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	[ -z "$$unformatted" ] || { echo "not gofmt'ed:" $$unformatted >&2; exit 1; }

# The kernel's structs are checked for the boards' architectures too.
vet: toolchain
	$(GO) vet ./...
	$(GO) vet -tags nodemo ./cmd/bril ./cmd/internal/cli
	$(GO) vet -tags manual ./cmd/showroom
	CGO_ENABLED=0 GOARCH=arm64 $(GO) vet ./hardware/v4l2/... ./hardware/gpio
	CGO_ENABLED=0 GOARCH=arm $(GO) vet ./hardware/v4l2/... ./hardware/gpio

lint: toolchain
	$(GO) run $(STATICCHECK) ./...

modules: toolchain
	$(GO) mod tidy -diff
	$(GO) mod verify

lines:
	@git ls-files -co --exclude-standard '*.go' | xargs wc -l | \
		awk '$$2 != "total" && $$1 > 500 { print $$2 ": " $$1 " lines: more than 500 hide a second noun"; bad = 1 } END { exit bad }'

shell:
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run configs/package/{postinst,prerm,postrm,repository}; else echo "shellcheck is not installed: no script was checked"; fi

seeds: toolchain
	$(GO) test -run '^Fuzz' -bench . -benchtime 1x ./...
