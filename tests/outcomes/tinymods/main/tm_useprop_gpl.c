// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* The order of the two in the symbol table decides what the kernel says. */
extern int tm_prop_val(void);
extern int tm_exp_gpl(int a);

TINY(tm_useprop_gpl, tm_exp_gpl(tm_prop_val()) == 14 ? 0 : -EINVAL);
