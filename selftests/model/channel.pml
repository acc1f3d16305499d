/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ring of a channel and its sleep-and-wake protocol, for spin. Stores go
 * through a buffer in front of each processor, as on x86: a fence empties it,
 * and without one it is emptied at any later time. A lost wake-up is an end
 * state in which the consumer sleeps; a torn or stale message an assertion.
 *
 * -DMUTANT=n leaves one thing out, and the model must then fail:
 *   1  the producer's fence between publishing and looking at the sleep word
 *   2  the consumer's fence between arming and looking again
 *   3  the consumer's second look
 *   4  the release: the index may be seen before the message
 *   5  the acquire: the message may be read before the index
 *   6  the wake-up of a sleeper by the producer
 *   7  the producer's view of the tail: it writes to a full ring
 */
#ifndef MUTANT
#define MUTANT 0
#endif

#define SLOTS 2
#define MESSAGES 4

byte slot[SLOTS];
byte head, tail;
bool asleep;
bool bell;

/* What each processor has stored and others do not see yet. */
bool head_waits, asleep_waits, asleep_value;
byte head_value;

/* The buffers empty at any time. */
active proctype buffers()
{
end:	do
	:: atomic { head_waits -> head = head_value; head_waits = false }
	:: atomic { asleep_waits -> asleep = asleep_value; asleep_waits = false }
	od
}

active proctype producer()
{
	byte n = 0;

	do
	:: n == MESSAGES -> break
	:: n < MESSAGES ->
#if MUTANT != 7
		/* Room: the tail only grows, so that an old one is safe. */
		(n - tail < SLOTS);
#endif
#if MUTANT == 4
		!head_waits;
		head_value = n + 1;
		head_waits = true;
		slot[n % SLOTS] = n + 1;
#else
		slot[n % SLOTS] = n + 1;
		!head_waits;
#if MUTANT == 1
		head_value = n + 1;
		head_waits = true;
#else
		head = n + 1;
#endif
#endif
#if MUTANT != 6
		if
		:: asleep -> atomic { asleep = false; asleep_waits = false }
			     bell = true
		:: else
		fi;
#endif
		n++
	od
}

active proctype consumer()
{
	byte n = 0, seen, early;

	do
	:: n == MESSAGES -> break
	:: n < MESSAGES ->
#if MUTANT == 5
		early = slot[n % SLOTS];
#endif
		seen = head;
		if
		:: seen != n ->
#if MUTANT != 5
			early = slot[n % SLOTS];
#endif
			assert(early == n + 1);
			n++;
			tail = n
		:: else ->
			!asleep_waits;
#if MUTANT == 2
			asleep_value = true;
			asleep_waits = true;
#else
			asleep = true;
#endif
#if MUTANT != 3
			seen = head;
#endif
			if
			:: seen == n -> bell; bell = false
			:: else
			fi;
			!asleep_waits;
			asleep = false
		fi
	od
}
