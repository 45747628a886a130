# Everyday commands. The build itself is CMake's: see CMakePresets.json and CMakeLists.txt.

SEEDS ?= 1000
SECONDS ?= 60

# The Node.js that setup chose comes first.
NODE = . scripts/node_path;

.DEFAULT_GOAL := help
.PHONY: help setup build run test bench sim fuzz tidy format

help:  ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup:  ## Install what building, running and testing need, if anything is missing
	@scripts/setup build test

build:  ## Build build/release/muster
	@scripts/setup build
	@$(NODE) cmake --preset release && cmake --build --preset release

run: build  ## Build, then start a server to play with; Ctrl-C ends it
	@exec build/release/muster serve --dev

test:  ## Build the preset dev and run every test
	@scripts/setup build test
	@$(NODE) cmake --workflow --preset dev

bench:  ## Measure, against bench/limit, Redis and NATS; a few minutes: make bench SHORT=1
	@scripts/setup build bench
	@$(NODE) cmake --preset release && cmake --build --preset bench
	@scripts/bench $(if $(SHORT),--short)

sim:  ## Run the simulator, then the machines' property tests, over many seeds: make sim SEEDS=10000
	@scripts/setup build test
	@$(NODE) cmake --preset release && cmake --build --preset release --target sim
	@build/release/sim --seeds $(SEEDS)
	@$(NODE) cmake --preset dev && cmake --build --preset dev
	@RC_PARAMS="max_success=$(SEEDS)" ctest --preset dev -R '^src/(core|app/roles)'

fuzz:  ## Run every fuzz target for a while each: make fuzz SECONDS=60
	@scripts/setup build fuzz
	@cmake --workflow --preset fuzz
	@scripts/fuzz $(SECONDS)

tidy:  ## Run clang-tidy over everything
	@scripts/setup build test tidy
	@cmake --workflow --preset tidy

format:  ## Lay out every C++ file as .clang-format says
	@scripts/setup tidy
	@git ls-files -co --exclude-standard '*.cc' '*.h' | xargs -r clang-format-19 -i
