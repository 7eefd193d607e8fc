// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/delay.h>
#include <linux/sched/signal.h>

/* Its init ends only with the process that loads it. */
static int __init tm_hang_init(void)
{
	while (!fatal_signal_pending(current))
		msleep_interruptible(20);
	return -EINTR;
}
module_init(tm_hang_init);
TINY_EXIT(tm_hang);
TINY_ABOUT(tm_hang);
