// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_slow_val(void);

TINY(tm_useslow, tm_slow_val() - 9);
