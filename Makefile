# `make test` runs every check and every test; `make help` lists the rest.

SHELL := /bin/sh
CARGO ?= cargo
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

# Real client libraries of the Bot API, installed once into target/.
CLIENTS := tests/with-clients

# Real servers for the tests: started on free ports, ended and removed afterwards.
SERVERS := tests/with-brokers tests/with-s3

# Rates, memory and deadlines are measured in these, so nothing runs beside them; and a broker that is busy with many
# queues takes long to bring a deleted one back.
ALONE := volume:: somebody_deletes
VOLUME := $(CARGO) test --locked --test suite -- $(ALONE) --test-threads=1 --nocapture
FAULTS := $(CARGO) test --locked --test faults -- --test-threads=1 --nocapture

.PHONY: help
help:
	@echo 'make test    formatting, lints, documentation, all tests (real RabbitMQ, Redis and S3), fault tests'
	@echo 'make lint    formatting, lints and documentation alone'
	@echo 'make faults  the fault tests alone: kills, outages, floods; minutes'
	@echo 'make deny    licences, advisories and bans of the dependencies (installs cargo-deny if missing)'
	@echo 'make demo    see it work'

.PHONY: test
test: lint
	@# What the tests need beside is fetched while they are built.
	@nice $(CLIENTS) $(SERVERS) true & $(CARGO) test --locked --no-run; built=$$?; wait; exit $$built
	$(CLIENTS) $(SERVERS) sh -ec '\
	    $(CARGO) test --locked --lib --bins --test suite -- $(addprefix --skip ,$(ALONE)) --test-threads=8; \
	    $(VOLUME); $(FAULTS)'
	@echo 'make test: everything passed'

# Documentation is read with private items here: this is a program, not a library.
.PHONY: lint
lint: tools
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/clients/teloxide/Cargo.toml
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings -A rustdoc::private-intra-doc-links' $(CARGO) doc --locked --no-deps --document-private-items

.PHONY: faults
faults: tools
	$(SERVERS) sh -ec '$(VOLUME); $(FAULTS)'

.PHONY: deny
deny:
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny check

.PHONY: demo
demo:
	$(CARGO) run --release --locked -- demo

# What a bare machine may lack. RabbitMQ and Redis are installed by tests/with-brokers.
.PHONY: tools
tools:
	@command -v $(CARGO) >/dev/null || { echo 'install Rust first: https://rustup.rs' >&2; exit 69; }
	@command -v cc >/dev/null || { echo 'installing a C compiler (apt: gcc libc6-dev)'; \
	    $(AS_ROOT) apt-get update -q && \
	    DEBIAN_FRONTEND=noninteractive $(AS_ROOT) apt-get install -qy --no-install-recommends gcc libc6-dev; }
	@$(CARGO) fmt --version >/dev/null 2>&1 || rustup component add rustfmt
	@$(CARGO) clippy --version >/dev/null 2>&1 || rustup component add clippy
