// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/processor.h>

/* Its init never ends, and never lets go of the processor. */
static int __init tm_spin_init(void)
{
	for (;;)
		cpu_relax();
	return 0;
}
module_init(tm_spin_init);
TINY_EXIT(tm_spin);
TINY_ABOUT(tm_spin);
