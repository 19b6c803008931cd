# `make test` runs every check and every test; `make help` lists the rest.

SHELL := /bin/sh
CARGO ?= cargo
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

# Real client libraries of the Bot API, installed once into target/.
CLIENTS := tests/with-clients

# Real servers for the tests: started on free ports, ended and removed afterwards.
SERVERS := tests/with-brokers tests/with-s3 tests/with-prometheus

# Rates, memory and deadlines are measured in these, so nothing runs beside them; and a broker that is busy with many
# queues takes long to bring a deleted one back.
ALONE := volume:: somebody_deletes hostile_images

.PHONY: help
help:
	@echo 'make test    every gate below; the one that fails is named last'
	@echo '  make fmt clippy doc    formatting, lints, documentation (make lint for the three)'
	@echo '  make suite             unit tests, API tests, contracts, client libraries, against real RabbitMQ, Redis and S3'
	@echo '  make fuzz              what reads forms, pictures, JSON and markup, with made-up input'
	@echo '  make volume            rates, memory and deadlines, alone on the machine'
	@echo '  make faults            kills, outages and floods, the volume tests, and make pressure; an hour and more'
	@echo '  make cluster           a cluster of three RabbitMQ nodes, broken ten times; six minutes'
	@echo '  make next              the broker part on RabbitMQ 4, Redis 8 and Valkey, as the next Debian release has them; as root'
	@echo '  make pressure          fairness, order and limits under pressure: the long forms, with the figures of docs/guarantees.md'
	@echo '  make callbacks         10,000 callbacks to receivers of the worst kinds, none lost; in the release profile'
	@echo '  make attacks           what one caller may send does not hurt another: the table of docs/guarantees.md, in the release profile'
	@echo '  make incidents         what is seen of each incident: metric, log, readyz, alert; the table of docs/operation.md'
	@echo 'make corpus  judges thousands of real pictures here and by other libraries: the tables of docs/pictures.md'
	@echo 'make deny    licences, advisories and bans of the dependencies (installs cargo-deny if missing)'
	@echo 'make demo    see it work'

# Each gate is a target of its own, so that the last line of a failure says which it was: `make: *** [...: clippy] Error`.
# What the tests need beside is fetched, and built, while all else is.
.PHONY: test
test: tools
	@nice $(CLIENTS) $(SERVERS) true & $(MAKE) --no-print-directory lint build-tests; built=$$?; wait; exit $$built
	@$(CLIENTS) $(SERVERS) $(MAKE) --no-print-directory suite fuzz volume fault-tests
	@echo 'make test: everything passed'

.PHONY: lint
lint: fmt clippy doc

.PHONY: fmt
fmt: tools
	$(CARGO) fmt --check
	$(CARGO) fmt --check --manifest-path tests/clients/teloxide/Cargo.toml

.PHONY: clippy
clippy: tools
	$(CARGO) clippy --locked --all-targets -- -D warnings

# With private items: this is a program, not a library.
.PHONY: doc
doc: tools
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps --document-private-items

.PHONY: build-tests
build-tests: tools
	$(CARGO) test --locked --no-run

# Of the simulation's 10,000 small worlds so many; `make faults` has all.
WORLDS := 2000

# The next three want the servers: alone, run them as `tests/with-clients tests/with-brokers tests/with-s3 tests/with-prometheus make suite`.
.PHONY: suite
suite:
	SIMULATION_WORLDS=$(WORLDS) $(CARGO) test --locked --lib --bins --test suite -- $(addprefix --skip ,$(ALONE)) --test-threads=8

# Twenty seconds; CONTRIBUTING.md says how to go on for longer.
.PHONY: fuzz
fuzz:
	$(CARGO) test --locked --test fuzz_multipart --test fuzz_parsers

.PHONY: volume
volume:
	$(CARGO) test --locked --test suite -- $(ALONE) --test-threads=1 --nocapture

# In the short form they mostly wait for one another's timeouts, so three share the machine; in the long one rates are measured.
FAULTS_AT_ONCE := 3

# `make test` leaves these out, so that it stays within 20 minutes on a bare machine.
ONLY_IN_FAULTS := pulses outage redis_away flood_waits one_chat_without cancelled fairness due_at_once at_most_once \
    a_bot_stays_in_the_metrics cluster workers_killed a_full_folder_of_images attacks every_incident \
    lose_none_and_slow_nothing_on_the_embedded lose_none_on_the_embedded

.PHONY: fault-tests
fault-tests:
	$(CARGO) test --locked --test faults -- $(addprefix --skip ,$(ONLY_IN_FAULTS)) \
	    --test-threads=$(FAULTS_AT_ONCE) --nocapture

.PHONY: faults
faults: tools
	$(CARGO) test --locked --lib -- simulation
	@$(SERVERS) $(MAKE) --no-print-directory volume fault-tests ONLY_IN_FAULTS= FAULTS_AT_ONCE=1
	@$(MAKE) --no-print-directory pressure cluster attacks
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory next; \
	    else echo 'make next was left out: it needs root'; fi

# In the release profile, whose figures count. One of them alone: `make pressure ONLY=order`.
.PHONY: pressure
pressure: tools
	PIXCOURIER_PRESSURE=long tests/with-brokers $(CARGO) test --release --locked --test faults -- pressure::$(ONLY) \
	    --test-threads=1 --nocapture

# What one caller may send. `PIXCOURIER_TEST_PROGRAM=PATH make attacks` measures another build, and judges nothing.
.PHONY: attacks
attacks: tools
	tests/with-brokers $(CARGO) test --release --locked --test faults -- attacks::$(ONLY) --test-threads=1 --nocapture

# What is seen of each incident: the table of docs/operation.md.
.PHONY: incidents
incidents: tools
	@$(SERVERS) $(CARGO) test --locked --test faults -- every_incident --nocapture

# 10,000 callbacks to receivers that fail, hang, redirect and lie about their names, on both engines.
.PHONY: callbacks
callbacks: tools
	PIXCOURIER_CALLBACKS=many tests/with-brokers $(CARGO) test --release --locked --test faults -- callbacks:: \
	    --test-threads=1 --nocapture

# The same for the nodes of a cluster.
.PHONY: cluster
cluster: tools
	PIXCOURIER_PRESSURE=long tests/with-brokers $(CARGO) test --release --locked --test faults -- cluster:: \
	    --test-threads=1 --nocapture

# What meets RabbitMQ and Redis, on those of the next Debian release; then what meets Redis, on Valkey.
.PHONY: next
next: tools
	tests/with-next-brokers $(MAKE) --no-print-directory next-suite next-faults
	PIXCOURIER_TEST_REDIS_SERVER=valkey-server tests/with-next-brokers $(CARGO) test --locked --test suite -- engines::redis \
	    engines::acceptor --test-threads=8

.PHONY: next-suite
next-suite:
	$(CARGO) test --locked --test suite -- engines:: --skip embedded --skip objects --skip somebody_deletes --test-threads=8
	$(CARGO) test --locked --test suite -- somebody_deletes --test-threads=1

.PHONY: next-faults
next-faults:
	$(CARGO) test --locked --test faults -- brokers:: cluster:: kills:: owners:: redis:: spread:: --skip embedded \
	    --test-threads=1 --nocapture

.PHONY: corpus
corpus: tools
	tests/picture-corpus

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
