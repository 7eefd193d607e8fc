// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_exp_plain(int a);
static int (*fn)(int a);

static int __init tm_symgetplain_init(void)
{
	fn = symbol_get(tm_exp_plain);
	return fn ? 0 : -ENOENT;
}

static void __exit tm_symgetplain_exit(void)
{
	symbol_put(tm_exp_plain);
}

module_init(tm_symgetplain_init);
module_exit(tm_symgetplain_exit);
TINY_ABOUT(tm_symgetplain);
