// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* The file is printk.c: the module takes the name of a built-in /sys/module entry. */
TINY(printk_tm, 0);
