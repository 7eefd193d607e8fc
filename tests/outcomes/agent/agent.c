/*
 * The init of a guest: does the operations in /ops, one a line, and says what came of each.
 *
 * README.md tells of the operations. To the second serial port go lines that begin with
 *   @op TEXT          the operation that follows
 *   @ret RESULT       what it returned: a number, the name of an errno, or KILLED
 *   @log LEVEL TEXT   what the kernel logged since the operation before
 *   @mod @out @sym @taint   what was asked for
 *   @bad TEXT         why the operation could not be done at all
 * and at the end one line for lkm.lab.channel. Bytes that are not printable ASCII, and backslashes,
 * are written as \xNN. Calls that run a module's code are made in a child: an oops ends the child,
 * where it would else end the guest.
 */
#include "agent.h"

#include <grp.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <termios.h>

#define SYS_MODULE "/sys/module/"

static void perform(char *line);

static long written(const char *path, const char *value)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	long result;

	if (file < 0)
		return -errno;
	result = answered(write(file, value, strlen(value)));
	close(file);
	return result;
}

/* The operation in LINE, as a user who may do nothing. */
static void as_user(char *line)
{
	pid_t child;

	flush();
	child = fork();
	if (!child) {
		if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
		    setresuid(65534, 65534, 65534))
			say("@bad the user is still root\n");
		else
			perform(line);
		flush();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static char *word(char **rest)
{
	char *found = strsep(rest, " ");

	return found ? found : "";
}

/* Returns whether KIND is one of the calls that load or delete. */
static bool module_call(const char *kind, char *rest)
{
	bool background = !strncmp(kind, "bg", 2);
	struct call call = { 0 };

	kind += background ? 2 : 0;
	if (!strcmp(kind, "load") || !strcmp(kind, "iload")) {
		call.kind = *kind == 'i' ? INIT_LOAD : LOAD;
		call.name = word(&rest);
		if (call.kind == LOAD)
			call.flags = strtol(word(&rest), NULL, 0);
		call.params = rest ? rest : "";
	} else if (!strcmp(kind, "del")) {
		call.kind = DELETE;
		call.name = word(&rest);
		if (!strcmp(call.name, "EMPTY"))
			call.name = "";
		call.flags = strtol(word(&rest), NULL, 0);
	} else {
		return false;
	}
	if (background) {
		in_background(&call);
		return true;
	}
	say_result(done(&call));
	if (call.kind != DELETE)
		settle();
	return true;
}

static void perform(char *line)
{
	char *rest = line, *kind = word(&rest), path[PATH_MAX], *first;

	if (module_call(kind, rest) || !strcmp(kind, "case"))
		return;
	if (!strcmp(kind, "mods"))
		say_contents(MODULES, "@mod");
	else if (!strcmp(kind, "syms"))
		say_symbols(rest ? rest : "");
	else if (!strcmp(kind, "taint"))
		say_contents("/proc/sys/kernel/tainted", "@taint");
	else if (!strcmp(kind, "sys")) {
		snprintf(path, sizeof(path), SYS_MODULE "%s", rest ? rest : "");
		first = strchr(path + strlen(SYS_MODULE), '/');
		say_tree(path, first ? (size_t)(first - path) + 1 : strlen(path) + 1);
	} else if (!strcmp(kind, "cat"))
		say_contents(rest ? rest : "", "@out");
	else if (!strcmp(kind, "write")) {
		first = word(&rest);
		say_result(written(first, rest ? rest : ""));
	} else if (!strcmp(kind, "raw")) {
		first = word(&rest);
		say_result(raw(first, rest));
	} else if (!strcmp(kind, "umode"))
		as_user(rest ? rest : "");
	else if (!strcmp(kind, "wait") || !strcmp(kind, "killbg"))
		wait_for_all(*kind == 'k');
	else if (!strcmp(kind, "sleep"))
		usleep(strtol(rest ? rest : "0", NULL, 10) * 1000);
	else if (!strcmp(kind, "settle"))
		settle();
	else if (!strcmp(kind, "clear"))
		clear();
	else
		say("@bad no such operation\n");
}

static void open_all(void)
{
	struct termios settings;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	port = open("/dev/ttyS1", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (!tcgetattr(port, &settings)) {
		cfmakeraw(&settings);
		cfsetspeed(&settings, B115200);
		tcsetattr(port, TCSANOW, &settings);
	}
	kernel_log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	/* What was logged while the kernel started is no operation's. */
	lseek(kernel_log, 0, SEEK_END);
	prepare_calls();
	/* Loads, unloads and settle() wait for grace periods, which take 20 ms else. */
	written("/sys/kernel/rcu_expedited", "1");
}

int main(void)
{
	size_t size;
	char *text, *rest, *line;

	open_all();
	text = rest = read_whole("/ops", &size);
	if (text && size)
		text[size - 1] = '\0';
	while (text && size && (line = strsep(&rest, "\n"))) {
		say("@op ");
		say_escaped(line, strlen(line));
		say("\n");
		flush();
		/* A guest that dies must have said of which operation. */
		tcdrain(port);
		perform(line);
		say_log();
	}
	say("lab: exit status 0\n");
	flush();
	tcdrain(port);
	reboot(RB_POWER_OFF);
	return 0;
}
