// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* A chain of dependants, level 4 of 4. */
extern int tm_level3_val(void);
extern int tm_level1_val(void);
int tm_level4_val(void);

int tm_level4_val(void)
{
	return 4 + tm_level3_val() + tm_level1_val();
}
EXPORT_SYMBOL_GPL(tm_level4_val);

TINY(tm_level4, 0);
