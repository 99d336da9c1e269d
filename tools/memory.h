/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of what memory can be: the same for people and in JSON.
 */
#pragma once

#include "pkram.h"

const char *memory_kind_name(enum pkram_memory_kind kind);
const char *memory_mode_name(enum pkram_memory_mode mode);
const char *memory_state_name(enum pkram_memory_state state);
