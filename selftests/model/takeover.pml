/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An end of a channel that another one takes over while its former user may be
 * anywhere, for spin. The index has a generation and a position; whoever
 * publishes successfully counts one. The position must then be the count:
 * nothing published twice, nothing taken back.
 *
 * -DMUTANT=n, which must fail:
 *   1  publishing is a store, not a compare-and-swap
 *   2  taking an end over is a store
 *   3  a take-over does not change the generation
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define MESSAGES 2

byte generation, position;
byte published;
byte owner;			/* who took the end last; not in the memory */

inline publish(mine, at, done)
{
#if MUTANT == 1
	atomic { generation = mine; position = at + 1; published++ };
	done = true;
#else
	atomic {
		done = (generation == mine && position == at);
		if
		:: done -> assert(owner == _pid);
			   position = at + 1; published++
		:: else
		fi
	}
#endif
}

/* Take the end, publish some messages, or be fenced. */
active [2] proctype user()
{
	byte mine, at, n = 0;
	bool done = false;

	do
	:: done -> break
	:: else ->
		d_step { mine = generation; at = position }
#if MUTANT == 2
		atomic { generation = mine + 1; position = at; owner = _pid };
		done = true
#else
		atomic {
			done = (generation == mine && position == at);
			if
			:: done -> owner = _pid;
#if MUTANT != 3
				   generation = mine + 1
#endif
			:: else
			fi
		}
#endif
	od;
#if MUTANT != 3
	mine = mine + 1;
#endif
	do
	:: n == MESSAGES -> break
	:: n < MESSAGES ->
		publish(mine, at, done);
		if
		:: !done -> break		/* ESTALE */
		:: else -> at = at + 1; n++
		fi;
		assert(position >= at || generation != mine);
		assert(position == published)
	od;
}
