/* The options of `vmm run`: from the command line and from a folder's guest.conf, which gives the
 * defaults.  Whether files exist is left to files.c, whether the kernel fits to the monitor. */
#define _GNU_SOURCE
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "vmm.h"

#define MEMORY		(256ul << 20)
#define MEMORY_MIN	(4ul << 20)
#define SIZE_LIMIT	(64ul << 30)

static char *copy(const char *text)
{
	char *c = strdup(text);
	if (!c)
		refuse("no memory");
	return c;
}

uint64_t size_parse(const char *text, const char *what)
{
	char *end;
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	int shift = *end == 'G' ? 30 : *end == 'M' ? 20 : *end == 'K' ? 10 : -1;
	if (end == text || *text == '-' || errno || shift < 0 || end[1] || n > SIZE_LIMIT >> shift)
		refuse("%s %s is not a size such as 256M, up to 64G", what, text);
	return n << shift;
}

static void memory_set(struct options *o, const char *text)
{
	o->memory = size_parse(text, "--mem");
	if (o->memory < MEMORY_MIN)
		refuse("--mem %s is too little: a guest needs 4M", text);
	if (o->memory % 4096)
		refuse("--mem %s is not a whole number of 4K pages", text);
}

static void vcpus_set(struct options *o, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (end == text || *end || n < 1 || n > VCPUS)
		refuse("--cpus %s is not a number from 1 to %d", text, VCPUS);
	o->vcpus = n;
}

static void disk_add(struct options *o, char *spec)
{
	if (o->disks == DISKS)
		refuse("--disk %s: a guest has %d disks at most", spec, DISKS);
	o->disk[o->disks++] = spec;
}

/* Later words win in Linux: so what is said last stands last. */
static void append_add(struct options *o, const char *words)
{
	char *both;
	if (asprintf(&both, "%s%s%s", o->append, *o->append && *words ? " " : "", words) < 0)
		refuse("no memory");
	o->append = both;
}

bool name_valid(const char *name)
{
	size_t n = strlen(name);
	return n && n <= NAME_LENGTH && *name != '.' && strspn(name,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == n;
}

static void name_set(struct options *o, const char *name)
{
	if (!name_valid(name))
		refuse("--name %s: a name has up to %d letters, digits, _ - . and begins with no dot",
			name, NAME_LENGTH);
	strcpy(o->name, name);
	o->named = true;
}

/* An option with a value.  False: there is none of that name. */
static bool option_set(struct options *o, const char *option, char *value)
{
	if (!strcmp(option, "kernel"))
		o->kernel = value;
	else if (!strcmp(option, "initrd"))
		o->initrd = value;
	else if (!strcmp(option, "mem"))
		memory_set(o, value);
	else if (!strcmp(option, "cpus"))
		vcpus_set(o, value);
	else if (!strcmp(option, "disk"))
		disk_add(o, value);
	else if (!strcmp(option, "append"))
		append_add(o, value);
	else if (!strcmp(option, "name"))
		name_set(o, value);
	else
		return false;
	return true;
}

static bool flag_set(struct options *o, const char *flag)
{
	if (!strcmp(flag, "no-patch"))
		o->no_patch = true;
	else if (!strcmp(flag, "stats"))
		o->stats = true;
	else if (!strcmp(flag, "detached"))
		o->detached = true;
	else
		return false;
	return true;
}

/* ---- guest.conf ---------------------------------------------------------------------------------- */

static bool names_file(const char *option)
{
	return !strcmp(option, "kernel") || !strcmp(option, "initrd") || !strcmp(option, "disk");
}

/* `option value`, as on the command line without the dashes; files are the folder's. */
static void conf_line(struct options *o, const char *folder, const char *conf, char *line)
{
	char *option = line + strspn(line, " \t"), *end = line + strlen(line), *value;
	while (end > option && strchr(" \t\r\n", end[-1]))
		*--end = 0;
	if (!*option || *option == '#')
		return;
	value = option + strcspn(option, " \t");
	if (*value)
		*value++ = 0;
	value = copy(value + strspn(value, " \t"));
	if (names_file(option) && *value != '/' && asprintf(&value, "%s/%s", folder, value) < 0)
		refuse("no memory");
	if (!flag_set(o, option) && (!*value || !option_set(o, option, value)))
		refuse("%s: %s is no option, or lacks its value", conf, option);
}

static void conf_read(struct options *o, const char *folder)
{
	char conf[PATH_MAX], *line = NULL;
	size_t room = 0;
	snprintf(conf, sizeof conf, "%s/guest.conf", folder);
	FILE *f = fopen(conf, "r");
	if (!f)
		refuse("%s: %s", conf, strerror(errno));
	while (getline(&line, &room, f) >= 0)
		conf_line(o, folder, conf, line);
	free(line);
	fclose(f);
}

/* ---- the command line --------------------------------------------------------------------------- */

/* A guest without a name is called after its folder, or after its kernel. */
static void name_default(struct options *o, const char *of)
{
	char *base = copy(of), *name = basename(base);
	for (char *c = name; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9'))
			*c = '-';
	snprintf(o->name, sizeof o->name, "%.*s", NAME_LENGTH - 3, name);
}

static char *without_slash(char *path)
{
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		path[--n] = 0;
	return path;
}

void options_parse(struct options *o, char **words)
{
	*o = (struct options){ .memory = MEMORY, .vcpus = 1, .append = "" };
	char *folder = NULL;
	if (*words && **words != '-') {
		folder = without_slash(*words++);
		conf_read(o, folder);
	}
	for (; *words; words++) {
		const char *option = *words;
		if (strncmp(option, "--", 2))
			refuse("%s: the guest's folder comes first, options begin with --", option);
		if (flag_set(o, option + 2))
			continue;
		if (!words[1])
			refuse("%s: no such option, or its value is missing", option);
		if (!option_set(o, option + 2, *++words))
			refuse("%s: no such option", option);
	}
	if (!o->kernel)
		refuse("--kernel is missing");
	if (!o->named)
		name_default(o, folder ? folder : o->kernel);
}
