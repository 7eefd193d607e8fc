// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

int tm_circ_from_a(void);
extern int tm_circ_from_b(void);

int tm_circ_from_a(void)
{
	return 1;
}
EXPORT_SYMBOL(tm_circ_from_a);

TINY(tm_circ_a, tm_circ_from_b() - 2);
