# SPDX-License-Identifier: GPL-2.0-or-later
# What every user-space Makefile includes: where things are built, with which
# flags, and where they are installed. All of it can be set on the command line.

TOP := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
VERSION := $(file < $(TOP)/VERSION)
O ?= $(TOP)/build

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	    -Wvla -Wformat=2 -Wundef
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 \
	     -fvisibility=hidden $(WARNINGS) -MMD -MP \
	     -I$(TOP)/include/uapi -I$(TOP)/lib \
	     -DIVSHMEM_VERSION='"$(VERSION)"' $(CPPFLAGS) $(CFLAGS)

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
sbindir ?= $(exec_prefix)/sbin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datadir ?= $(prefix)/share
mandir ?= $(datadir)/man
udevdir ?= $(prefix)/lib/udev
systemdunitdir ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
completiondir ?= $(datadir)/bash-completion/completions
INSTALL ?= install

# V=1 shows the commands; else one short line for each.
ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(patsubst $(TOP)/%,%,$(2))'
endif
