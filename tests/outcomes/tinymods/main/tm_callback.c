// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Parameters with operations of their own. */
static int even;

static int even_set(const char *val, const struct kernel_param *kp)
{
	int value, ret = kstrtoint(val, 0, &value);

	if (ret)
		return ret;
	if (value & 1)
		return -EPERM;
	if (value < 0)
		return -ENOSPC;
	if (value > 1000)
		return -ERANGE;
	even = value;
	return 0;
}

static int even_get(char *buffer, const struct kernel_param *kp)
{
	return sprintf(buffer, "<%d>\n", even);
}

static const struct kernel_param_ops even_ops = { .set = even_set, .get = even_get };
module_param_cb(even, &even_ops, NULL, 0644);

static int bare_set(const char *val, const struct kernel_param *kp)
{
	even = val ? 4 : 2;
	return 0;
}

/* May be given without a value. */
static const struct kernel_param_ops bare_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = bare_set,
	.get = even_get,
};
module_param_cb(bare, &bare_ops, NULL, 0444);

TINY(tm_callback, 0);
