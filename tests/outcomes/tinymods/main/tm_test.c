// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

TINY(tm_test, 0);
MODULE_INFO(test, "Y");
