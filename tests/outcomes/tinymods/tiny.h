/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#include <linux/init.h>
#include <linux/module.h>
#include <linux/version.h>

/* No module says anything: a log then holds what the loader itself says, and nothing else. */

/* An init that returns RESULT, an exit that does nothing. */
#define TINY_INIT(name, result)                                         \
	static int __init name##_init(void)                             \
	{                                                               \
		return (result);                                        \
	}                                                               \
	module_init(name##_init)

#define TINY_EXIT(name)                                                 \
	static void __exit name##_exit(void)                            \
	{                                                               \
	}                                                               \
	module_exit(name##_exit)

#define TINY(name, result)                                              \
	TINY_INIT(name, result);                                        \
	TINY_EXIT(name);                                                \
	TINY_ABOUT(name)

#define TINY_ABOUT(name)                                                \
	MODULE_LICENSE("GPL");                                          \
	MODULE_DESCRIPTION("tinymods: " #name)

/* Since Linux 6.13 (commit cdd30ebb1b9f) a namespace is given as a string. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
#define TINY_NS(ns) #ns
#else
#define TINY_NS(ns) ns
#endif
