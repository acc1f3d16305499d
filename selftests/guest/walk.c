// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random walks: thousands of mmap, munmap, mremap and mprotect steps on an area
 * of address space, beside a model that says of each page what it must show.
 * IVSHMEM_SEED=N walks another way; IVSHMEM_STEPS=N further.
 */
#include "mapping.h"
#include "random.h"

#define AREA_PAGES 1100	/* more than two page tables span: 4.3 MiB */
#define MAX_RUN 64

/* One page of the area, as it must be. */
struct slot {
	int vma;	/* 0: nothing is mapped */
	int prot;
	size_t page;	/* of the shared memory */
};

struct walk {
	int fd;
	size_t page;
	size_t pages;	/* of the shared memory */
	char *area;
	__u64 *memory;	/* the same shared memory, to compare with */
	__u64 *model;	/* a word for each page of it */
	struct slot slots[AREA_PAGES];
	int vmas;
	__u64 random;
	const char *failed;
};

static char *at(const struct walk *w, size_t slot)
{
	return w->area + slot * w->page;
}

/* Where a page's word is: not always at its start. */
static size_t word_of(size_t page)
{
	return page * 37 % 512;
}

static void must(struct walk *w, bool holds, const char *what)
{
	if (!holds && !w->failed)
		w->failed = what;
}

/* Nothing else may take the room that a step left. */
static void reserve(struct walk *w, size_t first, size_t count)
{
	void *got = mmap(at(w, first), count * w->page, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
			 -1, 0);

	must(w, got == at(w, first), "reserve");
	for (size_t i = first; i < first + count; i++)
		w->slots[i] = (struct slot){};
}

/* A split gives the pages behind it a number of their own. */
static void split(struct walk *w, size_t slot)
{
	int old, new;

	if (!slot || slot >= AREA_PAGES || !w->slots[slot].vma ||
	    w->slots[slot].vma != w->slots[slot - 1].vma)
		return;
	old = w->slots[slot].vma;
	new = ++w->vmas;
	for (; slot < AREA_PAGES && w->slots[slot].vma == old; slot++)
		w->slots[slot].vma = new;
}

static void random_range(struct walk *w, size_t *first, size_t *count)
{
	*count = 1 + random_below(&w->random, MAX_RUN);
	*first = random_below(&w->random, AREA_PAGES - *count + 1);
}

static int random_prot(struct walk *w)
{
	const int prots[] = { RW, RW, RW, PROT_READ, PROT_NONE };

	return prots[random_below(&w->random, ARRAY_SIZE(prots))];
}

/* --- the steps ---------------------------------------------------------------- */

static void step_mmap(struct walk *w)
{
	int prot = random_prot(w);
	size_t first, count, page;
	void *got;

	random_range(w, &first, &count);
	page = random_below(&w->random, w->pages + 4);
	split(w, first);
	split(w, first + count);
	got = mmap(at(w, first), count * w->page, prot, MAP_SHARED | MAP_FIXED,
		   w->fd, page * w->page);
	if (page + count > w->pages) {
		must(w, got == MAP_FAILED && errno == EINVAL,
		     "mmap past the end is EINVAL");
		/* MAP_FIXED has unmapped what was there. */
		reserve(w, first, count);
		return;
	}
	must(w, got == at(w, first), "mmap");
	w->vmas++;
	for (size_t i = 0; i < count; i++)
		w->slots[first + i] = (struct slot){ w->vmas, prot, page + i };
}

static void step_munmap(struct walk *w)
{
	size_t first, count;

	random_range(w, &first, &count);
	split(w, first);
	split(w, first + count);
	must(w, !munmap(at(w, first), count * w->page), "munmap");
	reserve(w, first, count);
}

static void step_mprotect(struct walk *w)
{
	int prot = random_prot(w), ret;
	size_t first, count;

	random_range(w, &first, &count);
	while (count && !w->slots[first].vma) {
		first++;
		count--;
	}
	for (size_t i = 0; i < count; i++)
		if (!w->slots[first + i].vma)
			count = i;
	if (!count)
		return;
	ret = mprotect(at(w, first), count * w->page, prot | PROT_EXEC);
	must(w, ret && errno == EACCES, "mprotect to executable is EACCES");
	split(w, first);
	split(w, first + count);
	must(w, !mprotect(at(w, first), count * w->page, prot), "mprotect");
	for (size_t i = 0; i < count; i++)
		w->slots[first + i].prot = prot;
}

/* A run of pages in one VMA; false if the place is empty. */
static bool random_run(struct walk *w, size_t *first, size_t *count)
{
	size_t want = 1 + random_below(&w->random, MAX_RUN);

	*first = random_below(&w->random, AREA_PAGES);
	if (!w->slots[*first].vma)
		return false;
	for (*count = 1; *count < want; (*count)++)
		if (*first + *count >= AREA_PAGES ||
		    w->slots[*first + *count].vma != w->slots[*first].vma)
			break;
	return true;
}

static void step_move(struct walk *w)
{
	struct slot moved[MAX_RUN];
	size_t from, count, to;
	void *got;

	if (!random_run(w, &from, &count))
		return;
	to = random_below(&w->random, AREA_PAGES - count + 1);
	if (to < from + count && from < to + count)
		return;
	split(w, from);
	split(w, from + count);
	split(w, to);
	split(w, to + count);
	got = mremap(at(w, from), count * w->page, count * w->page,
		     MREMAP_MAYMOVE | MREMAP_FIXED, at(w, to));
	must(w, got == at(w, to), "mremap moves");
	memcpy(moved, &w->slots[from], count * sizeof(*moved));
	reserve(w, from, count);
	w->vmas++;
	for (size_t i = 0; i < count; i++) {
		w->slots[to + i] = moved[i];
		w->slots[to + i].vma = w->vmas;
	}
}

static void step_grow(struct walk *w)
{
	size_t first, count;
	void *got;

	if (!random_run(w, &first, &count))
		return;
	got = mremap(at(w, first), count * w->page, (count + 1) * w->page,
		     random_below(&w->random, 2) ? MREMAP_MAYMOVE : 0);
	must(w, got == MAP_FAILED && errno == EFAULT, "mremap grow is EFAULT");
}

static void step_shrink(struct walk *w)
{
	size_t first, count, rest;
	void *got;

	if (!random_run(w, &first, &count) || count < 2)
		return;
	rest = 1 + random_below(&w->random, count - 1);
	split(w, first);
	split(w, first + rest);
	split(w, first + count);
	got = mremap(at(w, first), count * w->page, rest * w->page, 0);
	must(w, got == at(w, first), "mremap shrinks");
	reserve(w, first + rest, count - rest);
}

/* --- looking ------------------------------------------------------------------- */

static void look(struct walk *w, size_t i)
{
	const struct slot *slot = &w->slots[i];
	__u64 *word = (__u64 *)at(w, i) + word_of(slot->page);
	__u64 value = 0, new = random_next(&w->random);

	if (!(slot->prot & PROT_READ)) {
		must(w, peek(word, &value) == SIGSEGV, "no access is SIGSEGV");
		return;
	}
	must(w, !peek(word, &value), "a mapped page can be read");
	must(w, value == w->model[slot->page], "a page has its own bytes");
	if (!(slot->prot & PROT_WRITE)) {
		must(w, poke(word, new) == SIGSEGV, "read-only is SIGSEGV");
		return;
	}
	must(w, !poke(word, new), "a mapped page can be written");
	w->model[slot->page] = new;
	must(w, *(volatile __u64 *)(w->memory + slot->page * w->page / 8 +
				    word_of(slot->page)) == new,
	     "what is written is in the memory");
}

static void (*const steps[])(struct walk *w) = {
	step_mmap, step_munmap, step_mprotect, step_move, step_grow, step_shrink,
};

static unsigned long walk(struct walk *w, unsigned long count)
{
	unsigned long i;

	for (i = 0; i < count && !w->failed; i++) {
		size_t step = random_below(&w->random, ARRAY_SIZE(steps) + 2);

		/* mmap more often: else the area empties. */
		steps[step < ARRAY_SIZE(steps) ? step : 0](w);
		for (int k = 0; k < 4; k++)
			look(w, random_below(&w->random, AREA_PAGES));
		for (size_t k = 0; i % 500 == 499 && k < AREA_PAGES; k++)
			look(w, k);
	}
	return i;
}

FIXTURE(walk) {
	struct walk *w;
};

FIXTURE_VARIANT(walk) {
	__u64 seed;
	bool plain;
};

FIXTURE_VARIANT_ADD(walk, plain) {
	.seed = 20040,
	.plain = true,
};

FIXTURE_VARIANT_ADD(walk, doorbell) {
	.seed = 71993,
};

FIXTURE_SETUP(walk)
{
	struct walk *w = calloc(1, sizeof(*w));

	self->w = w;
	ASSERT_NE(NULL, w);
	catch_access_signals();
	w->random = number_from("IVSHMEM_SEED", variant->seed);
	w->fd = open(variant->plain ? plain_node() : doorbell_node(), O_RDWR);
	ASSERT_LE(0, w->fd);
	w->page = getpagesize();
	w->pages = shmem_size(w->fd) / w->page;
	w->memory = map(w->fd, 0, w->pages * w->page);
	ASSERT_NE(MAP_FAILED, w->memory);
	w->area = mmap(NULL, AREA_PAGES * w->page, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, w->area);
	w->model = calloc(w->pages, sizeof(*w->model));
	for (size_t i = 0; i < w->pages; i++)
		w->memory[i * w->page / 8 + word_of(i)] = 0;
}

FIXTURE_TEARDOWN(walk)
{
	munmap(self->w->area, AREA_PAGES * self->w->page);
	munmap(self->w->memory, self->w->pages * self->w->page);
	close(self->w->fd);
}

TEST_F_TIMEOUT(walk, shows_what_the_model_says, 600)
{
	unsigned long want = number_from("IVSHMEM_STEPS", 6000);
	unsigned long done = walk(self->w, want);

	EXPECT_EQ(want, done)
		TH_LOG("step %lu: %s", done, self->w->failed);
}

TEST_F_TIMEOUT(walk, shows_it_to_a_child_too, 600)
{
	unsigned long want = number_from("IVSHMEM_STEPS", 6000) / 6;
	int status;
	pid_t pid;

	ASSERT_EQ(want, walk(self->w, want));
	pid = fork();
	if (!pid)
		_exit(walk(self->w, want) != want);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status) TH_LOG("the child's walk failed");
	/* It wrote what our model does not know: take that over. */
	for (size_t i = 0; i < self->w->pages; i++)
		self->w->model[i] = self->w->memory[i * self->w->page / 8 +
						    word_of(i)];
	EXPECT_EQ(want, walk(self->w, want))
		TH_LOG("after the child: %s", self->w->failed);
}

TEST_HARNESS_MAIN
