// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_exp_plain(int a);
int tm_dep_twice(int a);

int tm_dep_twice(int a)
{
	return tm_exp_plain(a) * 2;
}
EXPORT_SYMBOL(tm_dep_twice);

TINY(tm_dep, 0);
