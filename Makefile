# Thin on purpose: each target is a script of the same name. Variables reach it: make up BUS=kafka COMETS=2
.PHONY: help console-shots build up down test test-long fmt lint docs compose-test bench bench-full bench-rooms bench-storm bench-handshakes bench-million fuzz-coverage clean

help:
	@echo 'make up           install, build and start a cluster on this machine    scripts/up --help'
	@echo 'make down         end it                                                scripts/down --help'
	@echo 'make test         every test that needs no docker                       scripts/test --help'
	@echo 'make test-long    and those of faults that wait for leases, sessions and Kafka'
	@echo 'make compose-test the cluster of docker-compose.yml, tried out          scripts/compose-test --help'
	@echo 'make bench        what this machine and imc reach, in 5 minutes; bench-full  scripts/bench --help'
	@echo 'make bench-storm   a comet dies and its clients come back: what that costs pushes  scripts/bench-storm --help'
	@echo 'make bench-handshakes  TLS handshakes per second of comet'"'"'s CPU, beside openssl s_server  scripts/bench-handshakes --help'
	@echo 'make bench-rooms   what a push to a small room costs on 1, 4 and 16 comets  scripts/bench-rooms --help'
	@echo 'make bench-million  a million sessions in one room, 40 pushes a second   scripts/bench-million --help'
	@echo 'make fuzz-coverage  how much of each parser the fuzz targets reach       scripts/fuzz-coverage --help'
	@echo 'make console-shots  pictures of every page of the console, into build-console/shots  docs/console.md'
	@echo 'make build        the programs, into build/'
	@echo 'make fmt          clang-format over every C file'
	@echo 'make lint         clang-tidy with its analyzer, shellcheck, formatting and more, in 40 minutes  scripts/lint --help'
	@echo 'make docs         configs/, docs/configuration.md and docs/metrics.md from the tables in the code'
	@echo 'make clean        remove the build directories; run/ and its data stay'

build:
	@scripts/install-deps runtime build
	@cmake -S . -B build -G Ninja -DBUILD_TESTING=OFF && cmake --build build

console-shots:
	@scripts/console-shots

docs: build
	@scripts/gen-docs

up down test fmt lint compose-test fuzz-coverage:
	@scripts/$@

test-long:
	@scripts/test deps gcc integration-long

clean:
	@rm -rf build build-*

bench:
	@scripts/bench short

bench-full:
	@scripts/bench full

bench-storm:
	@scripts/bench-storm

bench-rooms:
	@scripts/bench-rooms

bench-handshakes:
	@scripts/bench-handshakes

bench-million:
	@scripts/bench-million
