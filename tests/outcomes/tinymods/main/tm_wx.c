// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* The text behind the name ends the compiler's own flags for the section. */
static int tm_wx_var __attribute__((section(".tm_wx,\"awx\",@progbits#"), used)) = 1;

TINY(tm_wx, 0);
