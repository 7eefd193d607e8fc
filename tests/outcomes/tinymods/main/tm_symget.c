// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_exp_gpl(int a);
static int (*fn)(int a);

static int __init tm_symget_init(void)
{
	fn = symbol_get(tm_exp_gpl);
	return fn ? 0 : -ENOENT;
}

static void __exit tm_symget_exit(void)
{
	symbol_put(tm_exp_gpl);
}

module_init(tm_symget_init);
module_exit(tm_symget_exit);
TINY_ABOUT(tm_symget);
