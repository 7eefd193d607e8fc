// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

int tm_prop_val(void);
int tm_prop_two(void);

int tm_prop_val(void)
{
	return 7;
}
EXPORT_SYMBOL(tm_prop_val);

int tm_prop_two(void)
{
	return 8;
}
EXPORT_SYMBOL(tm_prop_two);

TINY_INIT(tm_prop, 0);
TINY_EXIT(tm_prop);
MODULE_LICENSE("Proprietary");
MODULE_DESCRIPTION("tinymods: tm_prop");
