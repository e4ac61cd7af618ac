# Everything here works on a fresh Debian or Ubuntu with Go, make, git and apt; `make help` lists the targets.

SHELL := /bin/sh
CACHE := $(CURDIR)/.cache
# A module that the registry refuses makes `,direct` hang for minutes.
export GOPROXY := $(shell go env GOPROXY | sed 's/,direct//')
export PATH := $(PATH):$(CACHE)/mysql/bin

TOOL := go tool -modfile=tools/go.mod
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/runner
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/runner ./cmd/runner

.PHONY: mysql
mysql: ## put a real MySQL with mysql_clone.so into .cache/mysql, unless it is there
	@sh pkg/mysqld/fetch.sh $(CACHE)/mysql

.PHONY: demo
demo: mysql build ## back up, verify, restore, boot and compare a real MySQL in front of you
	@go run ./cmd/demo -runner bin/runner -cache $(CACHE)/mysql

.PHONY: test
test: mysql ## run every test, with real servers
	go vet ./...
	@# Three packages at once: servers that start, and bandwidths that are kept to, leave CPUs idle.
	go test -p 3 -timeout 30m ./...

.PHONY: soak
soak: mysql ## 100 backups in mode stream and 30 in mode local under load, each restored, booted and checked (about an hour)
	RUNNER_SOAK_STREAM=$(or $(STREAM),100) RUNNER_SOAK_LOCAL=$(or $(LOCAL),30) go test ./cmd/runner -run 'TestSoak$$' -count=1 -v -timeout 4h

.PHONY: matrix
matrix: mysql ## copies of many layouts in every mode, each booted beside its source (about 40 minutes)
	RUNNER_MATRIX=all go test ./cmd/runner -run 'TestACopyOpensNothingOutsideOfItself$$' -count=1 -v -timeout 4h

.PHONY: race
race: mysql ## the same under the race detector (needs a C compiler)
	go test -race -timeout 30m ./...

.PHONY: lint
lint: ## gofumpt, go vet and golangci-lint, pinned by tools/go.mod
	@test -z "$$($(TOOL) gofumpt -l cmd pkg examples schemas)" || { $(TOOL) gofumpt -d cmd pkg examples schemas; exit 1; }
	$(TOOL) golangci-lint run ./...

.PHONY: bench
bench: mysql build ## pack, verify and restore 2 GB of a real server beside the usual pipelines; writes bench/RESULTS.md
	go run ./pkg/archive/bench -cache $(CACHE)/mysql -runner bin/runner -results bench/RESULTS.md

.PHONY: generate
generate: ## write schemas/ anew
	go generate ./...

.PHONY: clean
clean: ## remove what was built, keep the cache
	rm -rf bin
