// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* echo 1 > parameters/hold takes a reference on this module, 0 drops one. */
static int hold_set(const char *val, const struct kernel_param *kp)
{
	int on, ret = kstrtoint(val, 0, &on);

	if (ret)
		return ret;
	if (on)
		return try_module_get(THIS_MODULE) ? 0 : -ENODEV;
	module_put(THIS_MODULE);
	return 0;
}

static const struct kernel_param_ops hold_ops = { .set = hold_set };
module_param_cb(hold, &hold_ops, NULL, 0200);

TINY(tm_hold, 0);
