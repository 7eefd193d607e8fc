// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* A weak symbol that somebody exports, or not: its init tells by its answer. */
extern int tm_exp_plain(int a) __weak;

TINY(tm_weakexp, tm_exp_plain ? 0 : -ENOENT);
