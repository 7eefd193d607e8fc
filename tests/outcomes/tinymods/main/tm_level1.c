// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* A chain of dependants, level 1 of 4. */
int tm_level1_val(void);

int tm_level1_val(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(tm_level1_val);

TINY(tm_level1, 0);
