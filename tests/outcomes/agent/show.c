/* What the kernel shows of its modules in files. */
#include "agent.h"

#include <dirent.h>

/* Returns the file's bytes, to be freed, or NULL with errno. */
char *read_whole(const char *path, size_t *size)
{
	size_t room = 1 << 16;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	char *text = file < 0 ? NULL : malloc(room);
	ssize_t count = 0;

	*size = 0;
	while (text && (count = read(file, text + *size, room - *size)) > 0) {
		*size += count;
		if (*size == room)
			text = realloc(text, room *= 2);
	}
	if (file >= 0)
		close(file);
	if (count < 0) {
		free(text);
		return NULL;
	}
	return text;
}

void say_symbols(const char *names)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	char *line = NULL, *module;
	size_t room = 0;
	ssize_t size;
	static char wanted[8192];

	/* " NAME NAME ", in which each name stands between blanks. */
	snprintf(wanted, sizeof(wanted), " %s ", names);
	while (file && (size = getline(&line, &room, file)) > 0) {
		module = memchr(line, '\t', size);
		if (!module || module[1] != '[' || line[size - 1] != '\n')
			continue;
		*module++ = '\0';
		*module = ' ';
		strcpy(line + size - 2, " ");
		if (strstr(wanted, module))
			say("@sym %s\n", line);
	}
	free(line);
	if (file)
		fclose(file);
}

static int visible(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static void say_file(const char *path, const char *shown, const struct stat *about)
{
	char target[PATH_MAX];
	size_t size;
	ssize_t length;
	char *text;

	say("@out %o %s", about->st_mode & 07777, shown);
	if (S_ISLNK(about->st_mode)) {
		length = readlink(path, target, sizeof(target));
		say(" -> %.*s\n", (int)(length > 0 ? length : 0), target);
		return;
	}
	text = read_whole(path, &size);
	say(" ");
	if (text) {
		say_escaped(text, size - (size && text[size - 1] == '\n'));
	} else {
		say("!");
		say_errno(errno);
	}
	say("\n");
	free(text);
}

/* All below the folder PATH, sorted; names are shown from byte FROM of the path on. */
void say_tree(const char *path, size_t from)
{
	struct dirent **entries;
	int count = scandir(path, &entries, visible, alphasort);
	char below[PATH_MAX];
	struct stat about;

	if (count < 0) {
		say("@out !");
		say_errno(errno);
		say("\n");
	}
	for (int at = 0; at < count; at++) {
		snprintf(below, sizeof(below), "%s/%s", path, entries[at]->d_name);
		free(entries[at]);
		if (lstat(below, &about))
			continue;
		if (S_ISDIR(about.st_mode)) {
			say("@out %o %s/\n", about.st_mode & 07777, below + from);
			say_tree(below, from);
		} else {
			say_file(below, below + from, &about);
		}
	}
	if (count >= 0)
		free(entries);
}

void say_contents(const char *path, const char *kind)
{
	size_t size;
	char *text = read_whole(path, &size);

	if (text) {
		say_lines(kind, text, size);
	} else {
		say("@out !");
		say_errno(errno);
		say("\n");
	}
	free(text);
}
