# SPDX-License-Identifier: GPL-2.0-only
#
#   make demo     show it working, beside virtio-net
#   make check    all tests; the last line is "N passed, N failed"
#   make unit     the tests that need no lab
#   make bench    all measurements (an hour); make bench-quick: some (10 minutes);
#                 ONLY=tcp_g2h,rr: of these workloads
#   make tails    where the time of slow requests goes, traced (2 minutes)
#   make ring-cost  cache lines and instructions of a packet in the rings
#   make shell    a shell in the lab, modules built
#   make modules  host and guest modules for the lab's kernels
#
# Everything is made below build/; what is slow to make is cached in
# $XDG_CACHE_HOME/vbus.  Needs root (or sudo), apt, and 12 GB of disk.

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
in_root := $(SUDO) lab/in-root
lab_run := $(SUDO) lab/run --log build/log
measure := $(lab_run) --pin
# Emulated, L1 may die or hang (status 125) of the emulation (lab/README.md), and a guest
# that does so may keep a command from its end (124).  What only shows or measures goes
# on with a new L1; tests are more particular (tests/lab/boot).
twice = $(1) || { s=$$?; [ $$s -eq 125 ] || [ $$s -eq 124 ] || exit $$s; \
	echo "L1 was lost, which is said above: once more with a new one" >&2; $(1); }

.PHONY: all deps root modules user bench-tools guests shell demo unit test-programs check bench bench-quick tails ring-cost clean
all: modules user

# What the tests need beside what the lab needs.
deps:
	@$(SUDO) lab/deps $$(sort -u tests/*/packages)

# The slow part: kernels, headers, compiler and QEMU of the lab.
root:
	@$(SUDO) lab/deps
	@$(SUDO) lab/root >/dev/null

modules: root
	@$(in_root) tools/build-modules

user: root
	@$(in_root) make -s -C user O=../build/user

bench-tools: root
	@$(in_root) make -s -C bench O=../build/bench

guests: root
	@for v in 6.12 6.1; do $(SUDO) lab/guest-image $$v || exit 1; done

shell: modules user bench-tools guests
	@$(SUDO) lab/shell

demo: modules user bench-tools guests
	@$(call twice,$(measure) --timeout 600 -- bench/demo build/demo.json)

bench bench-quick: modules user bench-tools guests
	@$(SUDO) lab/deps gnuplot-nox python3
	@mkdir -p build/bench
	@rm -f build/bench/groups.json
	@$(call twice,$(measure) --timeout 7200 -- bench/bench $(if $(findstring quick,$@),--quick) $(if $(ONLY),--only=$(ONLY)) build/bench/results.jsonl)
	@bench/report build/bench/results.jsonl build/bench
	@cat build/bench/results.md

tails: modules user bench-tools guests
	@$(call twice,$(measure) --timeout 600 -- bench/tails)

ring-cost:
	@$(SUDO) lab/deps gcc libc6-dev valgrind
	@bench/ring-cost

unit: deps
	@tests/run unit

# What the lab's tests run beside what users do; each of them makes it, too, but an
# error in it shows at once here.
test-programs: modules
	@$(in_root) make -s -C tests/lab O=../../build/tests/lab
	@$(in_root) tests/lab/modules/build
	@$(in_root) tests/lab/modules/build-call

check: deps modules user bench-tools guests test-programs
	@tests/run

clean:
	$(SUDO) rm -rf build
