/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The image of a tree node as a view wants to read it: any range, verified, without reading a
 * window twice for each small record.
 */
#pragma once

#include "op.h"
#include "tree.h"

struct op_image;

/* Loads the twice-stored front into memory. The reader must live longer. */
int op_image_open(struct pkram_ctx *ctx, struct store_reader *reader, struct op_image **ret);
struct op_image *op_image_close(struct op_image *img);
struct tree_input op_image_input(struct op_image *img);
