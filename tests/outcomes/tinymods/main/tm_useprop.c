// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_prop_val(void);

TINY(tm_useprop, tm_prop_val() == 7 ? 0 : -EINVAL);
