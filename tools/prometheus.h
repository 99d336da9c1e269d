/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of a region as metrics, in Prometheus' text format.
 */
#pragma once

#include "verb.h"

/**
 * struct metrics - what is known; NULL where it is not
 * @spec: of the region, as far as it is known
 * @verified: what pkram_verify read; with @verify_result, which is its own
 */
struct metrics {
	const char *spec;
	const struct pkram_region_info *region;
	const struct pkram_node_list *nodes;
	const struct pkram_report *report;
	const struct pkram_transfer *verified;
	int verify_result;
};

void metrics_print(FILE *f, const struct metrics *m);
/* The same into a file, which others see whole, old or new. Says why it cannot. */
int metrics_write(const char *path, const struct metrics *m);
