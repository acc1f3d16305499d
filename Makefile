# SPDX-License-Identifier: GPL-2.0-or-later
# What there is to type: make help.
include build.mk

# The kernel to build the module for: a build tree, and its version.
KERNELRELEASE ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KERNELRELEASE)/build

export CFLAGS LDFLAGS CPPFLAGS O V prefix exec_prefix bindir sbindir libdir
export includedir datadir mandir completiondir \
	udevdir systemdunitdir sysusersdir DESTDIR INSTALL

help:
	@echo 'make demo          two guests talk over shared memory, explained'
	@echo 'make check         all tests (make check-quick: the short ones)'
	@echo 'make fuzz-lib      fuzzes the library, for longer than the tests do'
	@echo 'make fuzz-server   fuzzes the server'
	@echo 'make bench         measures channels, and writes docs/benchmarks.md'
	@echo 'make bench-guests  between two guests, against TCP and a serial port'
	@echo 'make check-full    also the tests that take minutes'
	@echo 'make soak HOURS=n  four guests that talk, die and come back, for hours'
	@echo 'make mutants       puts defects in, and says which of them the tests catch'
	@echo 'make kernels       the matrix of kernels, and its table in the README'
	@echo 'make all           the library, the tool, the server, the examples'
	@echo 'make modules       ivshmem_guest.ko for KDIR=$(KDIR)'
	@echo 'make man           the man pages'
	@echo 'make install       the library, the tool, the server, the man pages'
	@echo 'make uninstall     removes these again'
	@echo 'make deb           Debian packages, built in a clean Debian 12 (as root)'
	@echo 'make dist          an archive of the sources, for packaging/'
	@echo 'make dkms-install  the module, for this and every later kernel'
	@echo 'make dkms-remove   removes it again'
	@echo 'make clean         remove what was built'

all: lib tools server examples programs-of-bench

lib:
	$(Q)$(MAKE) --no-print-directory -C lib

tools server examples: lib
	$(Q)$(MAKE) --no-print-directory -C $@

programs-of-bench: lib
	$(Q)$(MAKE) --no-print-directory -C bench

# Measures, writes the report, and fails if a ratio is worse than in the last.
bench: programs-of-bench
	$(Q)cp docs/benchmarks.jsonl $(O)/bench-before.jsonl 2>/dev/null || : > $(O)/bench-before.jsonl
	$(Q)bench/run --write docs/benchmarks --against $(O)/bench-before.jsonl

# Boots two guests, then one; two minutes and a half.
bench-guests: selftests
	$(Q)bench/guests --write docs/benchmarks
	$(Q)bench/run --results docs/benchmarks.jsonl --write docs/benchmarks

man:
	$(Q)$(MAKE) --no-print-directory -C man

selftests: all
	$(Q)$(MAKE) --no-print-directory -C selftests

modules:
	$(Q)$(MAKE) -C kernel KDIR=$(KDIR) modules

setup:
	$(Q)scripts/setup

demo:
	$(Q)scripts/demo

check:
	$(Q)scripts/check

check-quick:
	$(Q)scripts/check --quick

check-full:
	$(Q)scripts/check --full

HOURS ?= 1
SEED ?= 1

soak: selftests
	$(Q)scripts/setup
	$(Q)python3 selftests/qemu/soak.py --hours $(HOURS) --seed $(SEED)

mutants:
	$(Q)scripts/mutants

kernels:
	$(Q)rm -rf $(O)/logs/kernels
	$(Q)scripts/check --full -k '^kernels: .* runs the programs'; \
	status=$$?; python3 selftests/qemu/kernels_table.py; exit $$status

install: all man
	$(Q)$(MAKE) -C lib install
	$(Q)$(MAKE) -C tools install
	$(Q)$(MAKE) -C server install
	$(Q)$(MAKE) -C man install
	$(Q)$(MAKE) -C udev install
	$(if $(DESTDIR),,ldconfig)

# Removes what install would install: there is one list only, and it is install.
uninstall:
	$(Q)stage=$$(mktemp -d) && trap 'rm -rf $$stage' EXIT && \
	$(MAKE) -s install DESTDIR=$$stage && cd $$stage && \
	find . ! -type d -printf '$(DESTDIR)/%P\0' | xargs -0 rm -fv
	$(if $(DESTDIR),,ldconfig)

DKMS_SRC = $(DESTDIR)/usr/src/ivshmem-guest-$(VERSION)

dkms-source:
	$(INSTALL) -d $(DKMS_SRC)/kernel/compat $(DKMS_SRC)/include/uapi/linux
	$(INSTALL) -m 644 dkms.conf $(DKMS_SRC)
	$(INSTALL) -m 644 kernel/*.[ch] kernel/Kbuild kernel/Makefile $(DKMS_SRC)/kernel
	$(INSTALL) -m 644 kernel/compat/* $(DKMS_SRC)/kernel/compat
	$(INSTALL) -m 644 include/uapi/linux/*.h $(DKMS_SRC)/include/uapi/linux

# With DESTDIR the sources only: dkms works on the system that it runs on.
dkms-install: dkms-source
	$(if $(DESTDIR),,scripts/dkms-install $(VERSION))

dkms-remove:
	$(if $(DESTDIR),,dkms remove ivshmem-guest/$(VERSION) --all)
	rm -rf $(DKMS_SRC)

dist:
	git archive --prefix=ivshmem-guest-$(VERSION)/ \
		-o $(O)/ivshmem-guest-$(VERSION).tar.gz HEAD

deb:
	$(Q)selftests/qemu/debian.py $(O)/deb

# What a server may say to a host peer: FUZZ_SECONDS of libFuzzer, with clang.
FUZZ_SECONDS ?= 60
fuzz-lib: selftests
	mkdir -p $(O)/fuzz/corpus
	clang -std=gnu11 -D_GNU_SOURCE -g -O1 -w -pthread -Iinclude/uapi -Ilib \
		-fsanitize=fuzzer,address,undefined -o $(O)/fuzz/server_messages \
		selftests/fuzz/server_messages.c $(filter-out lib/server.c,$(wildcard lib/*.c))
	$(O)/fuzz/server_messages -max_total_time=$(FUZZ_SECONDS) -max_len=600 \
		-artifact_prefix=$(O)/fuzz/ -print_final_stats=1 \
		$(O)/fuzz/corpus

# What ivshmemd reads: options, state, lines and bytes.
fuzz-server:
	mkdir -p $(O)/fuzz/server
	clang -std=gnu11 -D_GNU_SOURCE -g -O1 -w -DIVSHMEM_VERSION='"$(VERSION)"' \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $(O)/fuzz/server_inputs selftests/fuzz/server_inputs.c \
		$(filter-out $(addprefix server/,main.c options.c value.c keeper.c),\
		$(wildcard server/*.c)) -lm -lsystemd
	$(O)/fuzz/server_inputs -max_total_time=$(FUZZ_SECONDS) -max_len=300 \
		-artifact_prefix=$(O)/fuzz/ -print_final_stats=1 \
		-close_fd_mask=2 $(O)/fuzz/server

clean:
	rm -rf $(O)/lib $(O)/tools $(O)/server $(O)/examples $(O)/bench $(O)/man \
		$(O)/deb $(O)/selftests $(O)/kernels

.DEFAULT_GOAL := help

.PHONY: fuzz-lib fuzz-server
.PHONY: help all lib tools server examples bench bench-guests programs-of-bench man selftests modules setup demo \
	check check-quick check-full soak mutants kernels install uninstall deb dist \
	dkms-source dkms-install dkms-remove clean
