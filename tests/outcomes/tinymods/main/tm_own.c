// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Parameters that the module handles itself, one of them without a value as well. */
static int set_own(const char *val, const struct kernel_param *kp)
{
	return 0;
}

static int get_own(char *buffer, const struct kernel_param *kp)
{
	return 0;
}

static const struct kernel_param_ops own_ops = {
	.set = set_own,
	.get = get_own,
};
static const struct kernel_param_ops alone_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = set_own,
	.get = get_own,
};
module_param_cb(own, &own_ops, NULL, 0);
module_param_cb(alone, &alone_ops, NULL, 0);
static bool kept = true;
module_param(kept, bool_enable_only, 0644);
static bool kept_too[2] = { true };
module_param_array(kept_too, bool_enable_only, NULL, 0644);

TINY(tm_own, 0);
