// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

int tm_circ_from_b(void);
extern int tm_circ_from_a(void);

int tm_circ_from_b(void)
{
	return 2;
}
EXPORT_SYMBOL(tm_circ_from_b);

TINY(tm_circ_b, tm_circ_from_a() - 1);
