/* What the parts of the agent have in common. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED LONG_MAX
#define MODULES "/proc/modules"

struct call {
	enum { LOAD, INIT_LOAD, DELETE } kind;
	const char *name;
	const char *params;
	long flags;
};

/* say.c: what is said, kept until there is enough of it */
extern int port, kernel_log;
void flush(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_escaped(const char *text, size_t size);
void say_lines(const char *kind, const char *text, size_t size);
void say_errno(long number);
void say_result(long result);
void say_log(void);

/* show.c: what the kernel shows in files */
char *read_whole(const char *path, size_t *size);
void say_contents(const char *path, const char *kind);
void say_symbols(const char *names);
void say_tree(const char *path, size_t from);

/* calls.c: what is asked of the module loader */
long answered(long result);
void prepare_calls(void);
long done(const struct call *call);
void in_background(const struct call *call);
void wait_for_all(bool killing);
void settle(void);
void clear(void);
long raw(const char *kind, const char *path);
