// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

TINY(tm_intree, 0);
MODULE_INFO(intree, "Y");
