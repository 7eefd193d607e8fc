// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* One symbol per export flavour. */
int tm_exp_plain(int a);
int tm_exp_gpl(int a);
int tm_exp_ns(int a);
int tm_exp_data = 42;

int tm_exp_plain(int a)
{
	return a + tm_exp_data;
}
EXPORT_SYMBOL(tm_exp_plain);
EXPORT_SYMBOL(tm_exp_data);

int tm_exp_gpl(int a)
{
	return a * 2;
}
EXPORT_SYMBOL_GPL(tm_exp_gpl);

int tm_exp_ns(int a)
{
	return a * 3;
}
EXPORT_SYMBOL_NS(tm_exp_ns, TINY_NS(TM_NS));

TINY(tm_exp, 0);
