/* What the agent says, on the second serial port. */
#include "agent.h"

#include <stdarg.h>

int port, kernel_log;
static char said[1 << 16];
static size_t said_size;

void flush(void)
{
	for (size_t at = 0; at < said_size;) {
		ssize_t count = write(port, said + at, said_size - at);

		if (count < 0 && errno != EINTR)
			break;
		at += count > 0 ? count : 0;
	}
	said_size = 0;
}

void say(const char *format, ...)
{
	va_list words;

	/* No one text is longer than a record of the kernel's log. */
	if (sizeof(said) - said_size < 20000)
		flush();
	va_start(words, format);
	said_size += vsnprintf(said + said_size, sizeof(said) - said_size, format, words);
	va_end(words);
}

void say_escaped(const char *text, size_t size)
{
	for (size_t at = 0; at < size; at++) {
		unsigned char one = text[at];

		if (one < ' ' || one >= 127 || one == '\\')
			say("\\x%02x", one);
		else
			say("%c", one);
	}
}

void say_lines(const char *kind, const char *text, size_t size)
{
	while (size) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;

		say("%s ", kind);
		say_escaped(text, length);
		say("\n");
		length += end != NULL;
		text += length;
		size -= length;
	}
}

void say_errno(long number)
{
	const char *name = strerrorname_np(number);

	if (name)
		say("%s", name);
	else
		say("-%ld", number);
}

void say_result(long result)
{
	say("@ret ");
	if (result == KILLED)
		say("KILLED");
	else if (result < 0)
		say_errno(-result);
	else
		say("%ld", result);
	say("\n");
}

/* The log as far as it has come; other programs' lines and continued ones are left out. */
void say_log(void)
{
	char record[16384];

	for (;;) {
		ssize_t size = read(kernel_log, record, sizeof(record) - 1);
		char *text, *end, *flag;
		long priority;

		if (size < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (size <= 0)
			return;
		record[size] = '\0';
		priority = strtol(record, NULL, 10);
		text = strchr(record, ';');
		if (!text || priority >> 3)
			continue;
		*text++ = '\0';
		flag = strchr(record, ',');
		for (int skip = 0; flag && skip < 2; skip++)
			flag = strchr(flag + 1, ',');
		if (flag && flag[1] == 'c')
			continue;
		end = strchr(text, '\n');
		if (end)
			*end = '\0';
		/* The kernel has escaped it already. */
		say("@log %ld %s\n", priority, text);
	}
}
