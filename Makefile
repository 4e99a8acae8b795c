# levada: `make test` is the whole truth; everything else is a part of it or beside it.
CARGO ?= cargo
export CARGO_TERM_COLOR ?= never

.PHONY: test check fmt clippy doc deps-policy unit models real debian demo bench fuzz fuzz-smoke faults help

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## test     installs what the tests use, then format, lints, docs, policy, and every test
test: debian check unit models

## check    format, clippy with warnings as errors, rustdoc, dependency policy
check: fmt clippy doc deps-policy

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked --quiet

deps-policy:
	./ci/purity.sh

unit:
	CARGO="$(CARGO)" ci/tests.sh

## models   every interleaving of a channel's publisher and subscribers, by loom
models:
	RUSTFLAGS="--cfg levada_loom" $(CARGO) test -p levada-channel --test interleavings --locked --target-dir target/loom

debian:
	./ci/debian.sh

## demo     the product in twenty seconds
demo:
	$(CARGO) run --release -- demo --for 20s

## bench    levada beside icecast2 and others, and teams (about an hour): the tables of bench/README.md
bench: debian
	$(CARGO) build --release --locked
	bench/icecast.py
	bench/rtmp.py
	bench/lab.py
	bench/talk.py
	$(CARGO) run --release --locked -- bench swarm -n 300
	$(CARGO) run --release --locked -- bench swarm -n 60 --quic
	$(CARGO) run --release --locked -p levada-swarm --example simulate -- --quiet bench/swarm/*.toml

FOR ?= 60
## fuzz     each door of fuzz/ for FOR seconds (60) with libFuzzer; TARGETS="a b" chooses; needs a C++ compiler
fuzz:
	FOR=$(FOR) ci/fuzz.sh $(TARGETS)

## fuzz-smoke  each door over its corpus and some mutants: what `make test` does of it
fuzz-smoke:
	$(CARGO) test -p levada-fuzz --locked

## faults   bad days at length: thousands of killed clients, a starved server
faults:
	LEVADA_FAULTS=10 $(CARGO) test -p levada --locked --test hostile --test faults --test lab --test lab_tools --test webrtc
