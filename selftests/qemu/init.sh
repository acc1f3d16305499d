#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The first process in a guest: mounts what a system has mounted, loads the
# module, and then runs the commands that the host sends (commands.sh), or with
# "ivshmem.shell" on the command line a shell.

/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=vt100
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t debugfs debugfs /sys/kernel/debug
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
ln -s /proc/self/fd /dev/fd
hostname "$(sed -n 's/.*ivshmem.name=\([a-z0-9]*\).*/\1/p' /proc/cmdline)"

word() { grep -qw "$1" /proc/cmdline; }

depmod
word ivshmem.load && modprobe ivshmem_guest

if word ivshmem.probe; then
	echo "ivshmem: booted"
	poweroff -f
fi

if word ivshmem.shell; then
	cat /etc/motd
	setsid cttyhack sh
	poweroff -f
fi

# Not in this shell: the orphans of a command become its children, and busybox
# forgets what its read has of a line when one of them ends.
sh /commands.sh
