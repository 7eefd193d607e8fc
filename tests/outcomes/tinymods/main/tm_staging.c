// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

TINY(tm_staging, 0);
MODULE_INFO(staging, "Y");
