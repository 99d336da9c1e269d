/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XXH3-64 by libxxhash. What a package of it is compiled for is the oldest processor of its
 * architecture; by the names of its dispatch header it uses the widest vectors that this one has,
 * which is 2 to 20 times as fast, and then no slower than memory.
 */
#pragma once

#include <xxhash.h>
#ifdef HAVE_XXH_X86DISPATCH_H
#include <xxh_x86dispatch.h>
#endif
