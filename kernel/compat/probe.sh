#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# probe.sh COMPILER FLAG...: prints -DCOMPAT_<NAME>=<form> for each probe beside
# it, and lost:<name> for those of which no form compiles. All run at once: each
# reads most of the kernel's headers. Sorted, since kbuild compares commands.
here=$(dirname "$0")

probe() {
	name=$1
	shift
	for form in 1 2 3; do
		"$@" -DFORM=$form -fsyntax-only -x c "$here/probe_$name.c" \
			> /dev/null 2>&1 || continue
		echo "-DCOMPAT_$(echo "$name" | tr '[:lower:]' '[:upper:]')=$form"
		return
	done
	echo "lost:$name"
}

{
	for file in "$here"/probe_*.c; do
		name=${file##*/probe_}
		probe "${name%.c}" "$@" &
	done
	wait
} | sort
