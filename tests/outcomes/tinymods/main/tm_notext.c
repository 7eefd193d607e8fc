// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Data alone: not one byte of code. */
int tm_notext_data = 5;
EXPORT_SYMBOL_GPL(tm_notext_data);

TINY_ABOUT(tm_notext);
