/* Calls of the module loader, each that may run a module's code in a child of its own. */
#include "agent.h"

#include <signal.h>
#include <sys/prctl.h>

/* What they returned: slot 0 is for the one waited for, the others for the background. */
static long *results;
static pid_t children[64];
static int started = 1;

void prepare_calls(void)
{
	results = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

long answered(long result)
{
	return result == -1 ? -errno : result;
}

static long carry_out(const struct call *call)
{
	size_t size;
	char *data;
	int file;
	long result;

	switch (call->kind) {
	case LOAD:
		file = open(call->name, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			return -errno;
		result = answered(syscall(SYS_finit_module, file, call->params, (int)call->flags));
		close(file);
		return result;
	case INIT_LOAD:
		data = read_whole(call->name, &size);
		if (!data)
			return -errno;
		return answered(syscall(SYS_init_module, data, size, call->params));
	default:
		return answered(syscall(SYS_delete_module, call->name, (int)call->flags));
	}
}

static pid_t in_child(const struct call *call, int slot)
{
	pid_t child;

	flush();
	results[slot] = KILLED;
	child = fork();
	if (child)
		return child;
	prctl(PR_SET_NAME, "agent");
	results[slot] = carry_out(call);
	_exit(0);
}

static long waited(pid_t child, int slot)
{
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return results[slot];
}

long done(const struct call *call)
{
	return waited(in_child(call, 0), 0);
}

/* Waits until CHILD sleeps or has ended, so that what follows finds it where it will stay. */
static void come_to_rest(pid_t child)
{
	char path[64], *text, *state;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	for (int calm = 0, tries = 0; calm < 5 && tries < 1000; tries++) {
		usleep(2000);
		text = read_whole(path, &size);
		state = text ? memchr(text, ')', size) : NULL;
		calm = state && state[2] == 'R' ? 0 : calm + 1;
		free(text);
	}
}

void in_background(const struct call *call)
{
	if (started == sizeof(children) / sizeof(*children)) {
		say("@bad too many in the background\n");
		return;
	}
	children[started] = in_child(call, started);
	come_to_rest(children[started]);
	started++;
}

/* Waits until init memory of loads that are over is free, so that addresses come out alike. */
void settle(void)
{
	/* MEMBARRIER_CMD_GLOBAL: an RCU grace period, after which a worker frees it. */
	syscall(SYS_membarrier, 1, 0, 0);
	usleep(5000);
}

void wait_for_all(bool killing)
{
	for (int slot = 1; killing && slot < started; slot++)
		kill(children[slot], SIGKILL);
	for (int slot = 1; slot < started; slot++)
		say_result(waited(children[slot], slot));
	started = 1;
	settle();
}

/* Deletes every module, newest first, again and again while that helps. */
void clear(void)
{
	long all = 0;
	bool again = true;

	while (again) {
		size_t size;
		char *text = read_whole(MODULES, &size), *rest = text, *line;

		again = false;
		if (text && size)
			text[size - 1] = '\0';
		while (text && size && (line = strsep(&rest, "\n"))) {
			struct call call = { DELETE, strsep(&line, " "), NULL, O_NONBLOCK };

			if (!done(&call)) {
				again = true;
				all++;
			}
		}
		free(text);
	}
	settle();
	say_result(all);
	say_contents(MODULES, "@mod");
}

static long finit(int file, const char *params)
{
	return answered(syscall(SYS_finit_module, file, params, 0));
}

/* Calls with arguments that no program means. */
long raw(const char *kind, const char *path)
{
	static char name[4097];
	bool is_long = !strcmp(kind, "dellong");

	if (!strcmp(kind, "badfd"))
		return finit(-1, "");
	if (!strcmp(kind, "dirfd"))
		return finit(open("/", O_RDONLY | O_DIRECTORY), "");
	if (!strcmp(kind, "devnull"))
		return finit(open("/dev/null", O_RDONLY), "");
	if (!strcmp(kind, "wronly"))
		return finit(open(path ? path : "/ops", O_WRONLY), "");
	if (!strcmp(kind, "nullargs"))
		return finit(open(path ? path : "", O_RDONLY), NULL);
	if (!strcmp(kind, "nullinit"))
		return answered(syscall(SYS_init_module, NULL, 0, ""));
	if (!strcmp(kind, "faultinit"))
		return answered(syscall(SYS_init_module, (void *)8, 4096, ""));
	if (!strcmp(kind, "delnull"))
		return answered(syscall(SYS_delete_module, NULL, O_NONBLOCK));
	if (is_long || !strcmp(kind, "del56")) {
		memset(name, 'a', is_long ? sizeof(name) - 1 : 56);
		return answered(syscall(SYS_delete_module, name, O_NONBLOCK));
	}
	say("@bad no such raw call\n");
	return -EINVAL;
}
