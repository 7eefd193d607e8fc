// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Its init returns what it is told to. */
static int ret;
module_param(ret, int, 0444);

TINY(tm_ret, ret);
