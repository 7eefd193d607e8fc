// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/delay.h>

static int ms_in = 1500, ms_out = 1500, ret;
module_param(ms_in, int, 0444);
module_param(ms_out, int, 0444);
module_param(ret, int, 0444);
int tm_slow_val(void);

int tm_slow_val(void)
{
	return 9;
}
EXPORT_SYMBOL(tm_slow_val);

static int __init tm_slow_init(void)
{
	msleep(ms_in);
	return ret;
}

static void __exit tm_slow_exit(void)
{
	msleep(ms_out);
}

module_init(tm_slow_init);
module_exit(tm_slow_exit);
TINY_ABOUT(tm_slow);
