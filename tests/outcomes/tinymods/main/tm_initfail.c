// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

static int err = ENODEV;
module_param(err, int, 0444);

TINY(tm_initfail, -err);
