// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

#include <linux/jump_label.h>
#include <linux/percpu.h>

/* Sections of every layout class. */
DEFINE_PER_CPU(int, tm_percpu_cnt);
static DEFINE_PER_CPU(u64, tm_percpu_priv);
static DEFINE_STATIC_KEY_FALSE(tm_percpu_key);
static int tm_percpu_roai __ro_after_init = 3;
static const int tm_percpu_table[64] = { 1, 2, 3 };
static char tm_percpu_bss[5000];
static int tm_percpu_initdata __initdata = 5;
int tm_percpu_weak(void);

int __weak tm_percpu_weak(void)
{
	return tm_percpu_table[this_cpu_read(tm_percpu_cnt) & 63];
}

static int __init tm_percpu_init(void)
{
	this_cpu_inc(tm_percpu_cnt);
	this_cpu_inc(tm_percpu_priv);
	tm_percpu_bss[1] = tm_percpu_weak();
	if (static_branch_unlikely(&tm_percpu_key))
		tm_percpu_roai++;
	return tm_percpu_initdata - 5;
}
module_init(tm_percpu_init);
TINY_EXIT(tm_percpu);
TINY_ABOUT(tm_percpu);
