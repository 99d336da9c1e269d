/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op-aside.h"

#include "work.h"

bool op_aside_ready(struct op_aside *a)
{
	if (a->pool || !a->wanted)
		return a->pool;
	/* Without it, windows go one by one. */
	a->wanted = false;
	a->bounce = large_buffer_new(PKRAM_WINDOW);
	if (a->bounce && work_pool_new(a->ctx, 2, NULL, &a->pool) < 0)
		a->pool = NULL;
	return a->pool;
}

static int work_aside(void *arg, unsigned int worker, uint64_t index)
{
	struct op_aside *a = arg;

	(void)worker;
	(void)index;
	return a->fn(a->arg);
}

void op_aside_start(struct op_aside *a, int (*fn)(void *arg), void *arg)
{
	a->fn = fn;
	a->arg = arg;
	a->at_work = true;
	work_pool_start_one(a->pool, work_aside, a);
}

int op_aside_finish(struct op_aside *a)
{
	if (!a->at_work)
		return 0;
	a->at_work = false;
	return work_pool_finish(a->pool);
}

int op_aside_end(struct op_aside *a)
{
	int k = op_aside_finish(a);

	work_pool_free(a->pool);
	free(a->bounce);
	*a = (struct op_aside){ .pool = NULL };
	return k;
}
