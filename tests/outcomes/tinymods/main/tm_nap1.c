// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/delay.h>

/* A chain of dependants whose inits take their time, 1 of 4. */
int tm_nap1_val(void);
static int ms = 150;
module_param(ms, int, 0444);

int tm_nap1_val(void)
{
	return 1;
}
EXPORT_SYMBOL_GPL(tm_nap1_val);

static int __init tm_nap1_init(void)
{
	msleep(ms);
	return 0;
}
module_init(tm_nap1_init);
TINY_EXIT(tm_nap1);
TINY_ABOUT(tm_nap1);
