// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Neither init nor exit: a pure library. */
int tm_noinit_one(void);

int tm_noinit_one(void)
{
	return 1;
}
EXPORT_SYMBOL(tm_noinit_one);

TINY_ABOUT(tm_noinit);
