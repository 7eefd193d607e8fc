// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* A chain of dependants, level 3 of 4. */
extern int tm_level2_val(void);
int tm_level3_val(void);

int tm_level3_val(void)
{
	return 3 + tm_level2_val();
}
EXPORT_SYMBOL_GPL(tm_level3_val);

TINY(tm_level3, 0);
