// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* GPL here; a case patches the licence to get a non-GPL user. */
extern int tm_exp_gpl(int a);

TINY(tm_usegpl, tm_exp_gpl(1) == 2 ? 0 : -EINVAL);
