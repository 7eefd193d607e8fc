// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/cache.h>

/*
 * Every kind of section, each with an alignment that leaves a gap before it. None is static, or
 * the compiler would know the values and leave the variables out.
 */
const char tm_align_ro[3] __aligned(256) = { 1 };
char tm_align_data[5] __aligned(128) = { 2 };
char tm_align_page[7] __aligned(4096) = { 3 };
char tm_align_bss[9] __aligned(1024);
char tm_align_roai[11] __ro_after_init __aligned(512) = { 4 };
char tm_align_start[13] __initdata __aligned(64) = { 5 };
char tm_align_odd[3] __section(".data.odd") __aligned(1) = { 6 };

int tm_align_text(int at);

noinline __aligned(64) int tm_align_text(int at)
{
	tm_align_bss[at & 7]++;
	tm_align_data[0] = tm_align_page[0] + tm_align_odd[0];
	return tm_align_ro[0] - tm_align_roai[0] + 3;
}

TINY(tm_align, tm_align_text(tm_align_start[0]) & 0);
