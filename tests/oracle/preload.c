/*
 * Answers the three module system calls, and uname, in place of the kernel.
 *
 * Each call is one message to the unix socket that FAKE_KERNEL names: the call's name, its flags,
 * its text (parameters, or a module's name) and the file, separated by NULs. The file of
 * finit_module is the descriptor's path; an image of init_module is written to a file beside the
 * socket. The answer is 0 or an errno, in decimal. All else is the real kernel's.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

static long ask(const char *call, unsigned flags, const char *text, const char *file)
{
	struct sockaddr_un place = { .sun_family = AF_UNIX };
	const char *path = getenv("FAKE_KERNEL");
	char message[8192], answer[32];
	int length, errno_answered;
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strncpy(place.sun_path, path, sizeof(place.sun_path) - 1);
	if (connect(sock, (struct sockaddr *)&place, sizeof(place))) {
		perror("the fake kernel does not answer");
		_exit(99);
	}
	length = snprintf(message, sizeof(message), "%s%c%u%c%s%c%s", call, 0, flags, 0, text, 0, file);
	send(sock, message, length, 0);
	length = recv(sock, answer, sizeof(answer) - 1, 0);
	close(sock);
	answer[length < 0 ? 0 : length] = 0;
	errno_answered = atoi(answer);
	if (errno_answered) {
		errno = errno_answered;
		return -1;
	}
	return 0;
}

static long ask_finit(int descriptor, const char *params, unsigned flags)
{
	char link[64], file[4096];
	ssize_t length;

	snprintf(link, sizeof(link), "/host/proc/%d/fd/%d", getpid(), descriptor);
	length = readlink(link, file, sizeof(file) - 1);
	file[length < 0 ? 0 : length] = 0;
	return ask("finit_module", flags, params, file);
}

long init_module(const void *image, unsigned long size, const char *params)
{
	char file[512];
	int descriptor;
	ssize_t written;

	snprintf(file, sizeof(file), "%s.image", getenv("FAKE_KERNEL"));
	descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	written = write(descriptor, image, size);
	close(descriptor);
	return ask("init_module", written < 0, params, file);
}

long delete_module(const char *name, unsigned flags)
{
	return ask("delete_module", flags, name, "");
}

long syscall(long number, ...)
{
	static long (*real)(long, ...);
	va_list list;
	long a[6];
	int i;

	va_start(list, number);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_finit_module)
		return ask_finit((int)a[0], (const char *)a[1], (unsigned)a[2]);
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int uname(struct utsname *about)
{
	static int (*real)(struct utsname *);
	int status;

	if (!real)
		real = (int (*)(struct utsname *))dlsym(RTLD_NEXT, "uname");
	status = real(about);
	strcpy(about->release, getenv("FAKE_RELEASE"));
	return status;
}
