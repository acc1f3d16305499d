#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The first process in a guest: mounts what a system has mounted, loads the
# module, and then runs the commands that come over the second serial port
# (see channel.py), or with "ivshmem.shell" on the command line a shell.

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

token=$(sed -n 's/.*ivshmem.token=\([0-9a-f]*\).*/\1/p' /proc/cmdline)
stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1
printf '%s ready\r\n' "$token" >&3
while read -r token line <&3; do
	echo "$line" | base64 -d > /.command
	sh /.command </dev/null >&3 2>&3
	printf '\n%s %s\n' "$token" "$?" >&3
done
poweroff -f
