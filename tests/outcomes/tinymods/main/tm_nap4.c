// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/delay.h>

/* A chain of dependants whose inits take their time, 4 of 4. */
extern int tm_nap3_val(void);
int tm_nap4_val(void);
static int ms = 150;
module_param(ms, int, 0444);

int tm_nap4_val(void)
{
	return 4 + tm_nap3_val();
}
EXPORT_SYMBOL_GPL(tm_nap4_val);

static int __init tm_nap4_init(void)
{
	msleep(ms);
	return 0;
}
module_init(tm_nap4_init);
TINY_EXIT(tm_nap4);
TINY_ABOUT(tm_nap4);
