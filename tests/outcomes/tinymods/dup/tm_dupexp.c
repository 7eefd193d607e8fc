// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Exports what tm_exp exports. */
int tm_exp_plain(int a);

int tm_exp_plain(int a)
{
	return a;
}
EXPORT_SYMBOL(tm_exp_plain);

TINY(tm_dupexp, 0);
