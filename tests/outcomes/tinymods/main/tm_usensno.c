// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Uses a symbol of a namespace that it does not import. */
extern int tm_exp_ns(int a);

TINY(tm_usensno, tm_exp_ns(1) == 3 ? 0 : -EINVAL);
