// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_exp_ns(int a);

TINY(tm_usens, tm_exp_ns(1) == 3 ? 0 : -EINVAL);
MODULE_IMPORT_NS(TINY_NS(TM_NS));
