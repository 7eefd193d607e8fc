// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* As tm_useprop_gpl, but with the two in the other order in the symbol table. */
extern int tm_prop_two(void);
extern int tm_exp_gpl(int a);

TINY(tm_useprop_late, tm_exp_gpl(tm_prop_two()) == 16 ? 0 : -EINVAL);
