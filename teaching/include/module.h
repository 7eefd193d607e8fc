/*
 * What turns C into a module of a Linux 6.1 kernel on x86-64, written from the format's facts.
 *
 * The sections that the kernel and kmod look for are made here: .modinfo, __param, __ksymtab and
 * __ksymtab_strings. What the kernel's build adds in a second step (__versions, __kcrctab,
 * struct module, depends= and vermagic=) is in the NAME.mod.c that teaching/modpost.py writes.
 */
#ifndef TEACHING_MODULE_H
#define TEACHING_MODULE_H

typedef signed char s8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned long size_t;
typedef long ssize_t;
typedef s64 loff_t;
typedef _Bool bool;

#define NULL ((void *)0)
#define true 1
#define false 0
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ENOENT 2
#define EIO 5
#define ENOMEM 12
#define EBUSY 16
#define ENODEV 19
#define EINVAL 22
#define ENOSPC 28

#define __used __attribute__((used))
#define __in(name) __attribute__((section(name)))
#define __init __in(".init.text")
#define __exit __in(".exit.text")
#define __initdata __in(".init.data")
#define __ro_after_init __in(".data..ro_after_init")

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define UNIQUE(name) JOIN(__UNIQUE_ID_##name, __COUNTER__)

/* One key=value string of .modinfo; *id* is part of the name of the variable that holds it. */
#define MODINFO(id, key, text) \
	static const char UNIQUE(id)[] __used __in(".modinfo") __attribute__((aligned(1))) = \
		key "=" text

#define MODULE_LICENSE(text) MODINFO(license, "license", text)
#define MODULE_AUTHOR(text) MODINFO(author, "author", text)
#define MODULE_DESCRIPTION(text) MODINFO(description, "description", text)
#define MODULE_VERSION(text) MODINFO(version, "version", text)
#define MODULE_ALIAS(text) MODINFO(alias, "alias", text)
#define MODULE_SOFTDEP(text) MODINFO(softdep, "softdep", text)
#define MODULE_FIRMWARE(path) MODINFO(firmware, "firmware", path)
#define MODULE_IMPORT_NS(space) MODINFO(import_ns, "import_ns", #space)

/* struct module as 6.1 lays it out on x86-64: of its 896 bytes a file states these. */
struct module {
	char state_and_list[24];
	char name[56];
	char before_init[0x138 - 80];
	int (*init)(void);
	char before_exit[0x350 - 0x138 - 8];
	void (*exit)(void);
	char rest[0x380 - 0x350 - 8];
} __attribute__((aligned(64)));

extern struct module __this_module;
#define THIS_MODULE (&__this_module)

int init_module(void);
void cleanup_module(void);

/* The variables keep both functions in the file, as in the kernel's build. */
#define module_init(function) \
	int init_module(void) __attribute__((alias(#function))); \
	static void *UNIQUE(__addressable_init_module) __used __initdata = (void *)&init_module
#define module_exit(function) \
	void cleanup_module(void) __attribute__((alias(#function))); \
	static void *UNIQUE(__addressable_cleanup_module) __used __in(".exit.data") = \
		(void *)&cleanup_module

#include "parameters.h"
#include "exporting.h"

#endif
