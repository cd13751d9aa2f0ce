# The menu. Nothing else knows the commands; CI calls `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

CARGO := cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
TRIPLE := $(shell rustc -vV | sed -n 's/^host: //p')
DEBUG := $(TARGET)/$(TRIPLE)/debug
RELEASE := $(TARGET)/$(TRIPLE)/release
CACHE := $(or $(EVALJOB_CACHE),$(HOME)/.cache/evaljob)
VENV := $(CACHE)/venv
AGENT := $(abspath $(DEBUG))/evaljob-agent
# Debian packages that building and testing need.
PACKAGES := busybox-static gcc g++ make git openssl iproute2 util-linux runc bubblewrap curl python3 python3-numpy libopenblas0-pthread python3-venv default-jdk-headless nodejs perl \
  containerd containernetworking-plugins iptables conntrack mmdebstrap qemu-system-x86 cpio time
# Namespaces of its own. The first process is bash, which reaps what is orphaned: a zombie would count as left behind.
PRIVATE := unshare --mount --pid --fork --kill-child --mount-proc --net bash -c '"$$@"; exit $$?' -
say = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: deps cluster $(if $(filter host,$(NODE)),,toolbox) ## a real node, helm install, examples and 328 programs (KEEP=1 leaves it running; NODE=host: no kubelet)
	$(call say,build)
	@$(CARGO) build --release -q --workspace --bins
	@test -x $(VENV)/bin/python3 || /usr/bin/python3 -m venv $(VENV)
	@$(VENV)/bin/pip install -q --disable-pip-version-check -r examples/pipelines/requirements.txt
	$(call say,demo)
	@NODE=$(NODE) EVALJOB_BIN_DIR=$(abspath $(RELEASE)) EVALJOB_PYTHON=$(VENV)/bin/python3 $(RELEASE)/evaljob-demo

.PHONY: test
test: deps check cluster test-rust test-mutation test-kernels test-humaneval test-cases test-corpus ## everything CI demands (root; half an hour fresh)

.PHONY: deps
deps: ## the Debian packages that are missing, by apt-get
	@test "$$(id -u)" = 0 || { echo "run as root: the sandbox needs namespaces, cgroups and mounts" >&2; exit 1; }
	@command -v apt-get >/dev/null || { echo "this installs Debian packages; elsewhere install: $(PACKAGES)" >&2; exit 1; }
	@missing=$$(for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  echo "installing" $$missing; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@for tool in cargo go; do command -v $$tool >/dev/null || { echo "$$tool is missing: install Rust by rustup and Go 1.26 from its archive" >&2; exit 1; }; done

.PHONY: build
build: ## static release binaries
	$(CARGO) build --release -p evaljob-operator -p evaljob-agent

.PHONY: check
check: ## format and lints
	$(call say,check)
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy -q --workspace --all-targets -- -D warnings

.PHONY: crds
crds: ## crds/evaljobs.yaml from the types
	$(CARGO) run -q -p evaljob-crds > crds/evaljobs.yaml.part
	mv crds/evaljobs.yaml.part crds/evaljobs.yaml
	cp crds/evaljobs.yaml charts/evaljob/files/evaljobs.yaml

.PHONY: chart
chart: cluster binaries ## the chart's README, its copy of the CRD and the expected renders
	@UPDATE_GOLDEN=1 EVALJOB_BIN_DIR=$(abspath $(DEBUG)) $(CARGO) test -q --workspace --test e2e -- chart::

.PHONY: cluster
cluster: ## the test cluster's binary (six minutes once, then cached)
	$(call say,cluster binary)
	@e2e/cluster/build.sh

.PHONY: toolbox
toolbox: ## the Debian directory of the agent's toolbox image (two minutes once, then cached)
	$(call say,toolbox)
	@node-agent/toolbox/build.sh

# Built without a daemon; `buildah push` or `buildah push IMAGE oci-archive:FILE` takes them on.
IMAGES := $(or $(REGISTRY),registry.evaljob.dev)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
.PHONY: images
images: build toolbox ## container images of operator, agent and agent with toolbox, by buildah (REGISTRY=...)
	@command -v buildah >/dev/null || { echo "buildah is missing: apt-get install buildah" >&2; exit 1; }
	$(call say,images)
	@buildah build -q -f operator/Dockerfile -t $(IMAGES)/evaljob-operator:$(VERSION) $(RELEASE)
	@buildah build -q -f node-agent/Dockerfile -t $(IMAGES)/evaljob-agent:$(VERSION) $(RELEASE)
	@buildah build -q -f node-agent/toolbox/Dockerfile --build-context toolbox=$$(node-agent/toolbox/build.sh) \
	  -t $(IMAGES)/evaljob-agent:$(VERSION)-toolbox $(RELEASE)

# Always the whole workspace: another selection of packages would mean other features, and everything compiled again.
.PHONY: binaries
binaries:
	$(call say,build)
	@$(CARGO) build -q --workspace

.PHONY: test-rust
test-rust: cluster toolbox binaries ## unit tests, the sandbox, and end to end on a real API server
	$(call say,tests of all crates)
	@EVALJOB_BIN_DIR=$(abspath $(DEBUG)) $(CARGO) test -q --workspace --no-fail-fast

.PHONY: test-sandbox
test-sandbox: ## the sandbox alone: lockdown, limits, cgroups, cleanliness, runc container
	@$(CARGO) test -q --workspace --test sandbox --test cgroup_v1

# Compiled apart, so that no binary of the product can come to have the feature; that none has it is looked at.
.PHONY: test-mutation
test-mutation: binaries ## parts of the protection left out one by one: for each some case goes red; runs stopped at each step
	$(call say,without each part of the protection)
	@for kind in mutation stopped; do \
	  CARGO_TARGET_DIR=$(TARGET)/mutation $(CARGO) test -q -p evaljob-sandbox --features mutation --test sandbox -- "[$$kind]" || exit 1; done
	@for name in EVALJOB_LEAVE_OUT EVALJOB_STOP_AT stopped-at-step; do \
	  grep -q $$name $(TARGET)/mutation/$(TRIPLE)/debug/deps/sandbox-* || { echo "the tests lack the feature: no $$name" >&2; exit 1; }; done
	@! grep -lE 'EVALJOB_LEAVE_OUT|EVALJOB_STOP_AT|stopped-at-step' $(DEBUG)/evaljob-agent $(DEBUG)/evaljob-operator $(wildcard $(RELEASE)/evaljob-agent $(RELEASE)/evaljob-operator)

# Needs no KVM: emulation, for right and wrong.
KERNELS = $(CARGO) test -q --workspace --test cgroup_v2 --test sandbox --no-run && \
  /usr/bin/python3 e2e/vm/check.py $(AGENT) $(foreach test,cgroup_v2 sandbox,$$(ls -t $(DEBUG)/deps/$(test)-* | grep -v '\.d$$' | head -n 1))
.PHONY: test-kernels
test-kernels: binaries ## Linux 6.1 and 6.12 with cgroup v2 in virtual machines: doctor, limits, cgroups, starred attacks, seeded faults
	$(call say,other kernels)
	@$(KERNELS)

# Apart from `make test`: it compiles everything once more, by a compiler of Debian's moving suite.
.PHONY: test-aarch64
test-aarch64: PACKAGES += qemu-system-arm qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross
test-aarch64: deps ## the same on aarch64, in virtual machines: doctor, limits, cgroups, starred attacks
	$(call say,aarch64)
	@built=$$(e2e/vm/aarch64) && /usr/bin/python3 e2e/vm/check.py --arch arm64 $$built

.PHONY: fuzz
fuzz: ## mutated frames and reports against their decoders (SECONDS=60 for each of seven)
	@EVALJOB_FUZZ_SECONDS=$(or $(SECONDS),60) $(CARGO) test -q --workspace --lib -- fuzz:: --nocapture --test-threads=1

.PHONY: test-e2e
test-e2e: cluster binaries ## the end-to-end tests alone
	@EVALJOB_BIN_DIR=$(abspath $(DEBUG)) $(CARGO) test -q --workspace --test e2e

.PHONY: test-node
test-node: cluster toolbox binaries ## the tests that need a kubelet alone
	@EVALJOB_BIN_DIR=$(abspath $(DEBUG)) $(CARGO) test -q --workspace --test node

# Apart from `make test`: compiling cert-manager takes five minutes and it proves one value of the chart.
.PHONY: test-cert-manager
test-cert-manager: deps cluster toolbox binaries ## a running cert-manager signs and renews the operator's certificate on a real node
	$(call say,cert-manager)
	@e2e/cert-manager/build.sh >/dev/null
	@EVALJOB_BIN_DIR=$(abspath $(DEBUG)) $(DEBUG)/evaljob-e2e up --nodes 1 --images -- e2e/cert-manager/check.sh

.PHONY: test-humaneval
test-humaneval: binaries ## 328 labelled programs through evaljob-agent run
	$(call say,HumanEval: 328 labelled programs)
	@/usr/bin/python3 e2e/humaneval/check.py $(AGENT)

.PHONY: test-cases
test-cases: binaries ## honest programs under both profiles, cases from public bug reports, the examples: through evaljob-agent run
	$(call say,honest programs)
	@/usr/bin/python3 e2e/honest/check.py $(AGENT)
	$(call say,cases)
	@/usr/bin/python3 e2e/cases/check.py $(AGENT)
	@/usr/bin/python3 e2e/examples.py $(AGENT)

.PHONY: test-corpus
test-corpus: binaries ## labelled programs in nine languages, twice, beside one spinning process for each CPU
	$(call say,corpus)
	@$(PRIVATE) /usr/bin/python3 e2e/corpus/check.py $(AGENT) --repeats 2 --load

.PHONY: bench
bench: deps cluster toolbox ## start beside posix_spawn and bubblewrap; what judging measures; jobs/s through processes, Pods and batch/v1 Jobs; memory
	$(call say,build)
	@$(CARGO) build --release -q --workspace --bins
	$(call say,start of a program)
	@$(CARGO) bench -q --workspace --bench start
	$(call say,judging: figures beside known amounts)
	@$(CARGO) bench -q --workspace --bench judging
	$(call say,through the cluster)
	@EVALJOB_BIN_DIR=$(abspath $(RELEASE)) $(RELEASE)/evaljob-bench

.PHONY: soak
soak: deps cluster binaries ## thousands of jobs, one in twenty hostile, and what is left; labelled programs 20 times; all attacks on other kernels; dispatch 5 times
	$(call say,soak: $(or $(JOBS),10000) jobs)
	@$(PRIVATE) /usr/bin/python3 e2e/soak.py $(AGENT) $(or $(JOBS),10000)
	$(call say,soak: corpus)
	@$(PRIVATE) /usr/bin/python3 e2e/corpus/check.py $(AGENT) --repeats 20 --load
	$(call say,soak: every attack under other kernels)
	@$(KERNELS) --rows ''
	$(call say,soak: dispatch)
	@for round in 1 2 3 4 5; do echo "round $$round of 5"; EVALJOB_BIN_DIR=$(abspath $(DEBUG)) $(CARGO) test -q --workspace --test e2e -- dispatch:: || exit 1; done

.PHONY: audit
audit: ## advisories, licences, sources (installs cargo-deny)
	@command -v cargo-deny >/dev/null || $(CARGO) install -q --locked cargo-deny
	$(CARGO) deny check --hide-inclusion-graph

.PHONY: clean
clean: ## build output of this checkout
	$(CARGO) clean
