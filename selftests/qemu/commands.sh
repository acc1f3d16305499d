#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the commands that come over a serial port of their own, as channel.py
# sends them, until the host is gone.
token=$(sed -n 's/.*ivshmem.token=\([0-9a-f]*\).*/\1/p' /proc/cmdline)
port=/dev/$(sed -n 's/.*ivshmem.port=\([A-Za-z0-9]*\).*/\1/p' /proc/cmdline)
stty -F "$port" raw -echo
exec 3<>"$port"
printf '%s ready\r\n' "$token" >&3
while read -r token line <&3; do
	echo "$line" | base64 -d > /.command
	sh /.command </dev/null >&3 2>&3
	printf '\n%s %s\n' "$token" "$?" >&3
done
poweroff -f
