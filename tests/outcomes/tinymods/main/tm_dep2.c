// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_exp_gpl(int a);
extern int tm_dep_twice(int a);

TINY(tm_dep2, tm_dep_twice(1) + tm_exp_gpl(1) > 1000 ? -EINVAL : 0);
