// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* GPL-only and in a namespace; and a second namespace. */
int tm_expns_gpl(int a);
int tm_expns_other(int a);

int tm_expns_gpl(int a)
{
	return a * 4;
}
EXPORT_SYMBOL_NS_GPL(tm_expns_gpl, TINY_NS(TM_NS));

int tm_expns_other(int a)
{
	return a * 5;
}
EXPORT_SYMBOL_NS(tm_expns_other, TINY_NS(TM_OTHER_NS));

TINY(tm_expns, 0);
