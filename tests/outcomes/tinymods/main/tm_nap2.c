// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/delay.h>

/* A chain of dependants whose inits take their time, 2 of 4. */
extern int tm_nap1_val(void);
int tm_nap2_val(void);
static int ms = 150;
module_param(ms, int, 0444);

int tm_nap2_val(void)
{
	return 2 + tm_nap1_val();
}
EXPORT_SYMBOL_GPL(tm_nap2_val);

static int __init tm_nap2_init(void)
{
	msleep(ms);
	return 0;
}
module_init(tm_nap2_init);
TINY_EXIT(tm_nap2);
TINY_ABOUT(tm_nap2);
