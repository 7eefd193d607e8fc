// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Holds itself for ever. */
static int __init tm_holdself_init(void)
{
	__module_get(THIS_MODULE);
	return 0;
}
module_init(tm_holdself_init);
TINY_EXIT(tm_holdself);
TINY_ABOUT(tm_holdself);
