// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* A chain of dependants, level 2 of 4. */
extern int tm_level1_val(void);
int tm_level2_val(void);

int tm_level2_val(void)
{
	return 2 + tm_level1_val();
}
EXPORT_SYMBOL_GPL(tm_level2_val);

TINY(tm_level2, 0);
