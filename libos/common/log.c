/* Lines to the kernel's log.  See text.h. */
#include "libos/common/start.h"
#include "libos/common/text.h"

void log_line(const char *format, ...)
{
	char text[256];
	va_list args;
	uint64_t machine = start_cap(start_page, CAP_MACHINE);
	if (!machine)
		return;
	va_start(args, format);
	size_t n = vsnprintf(text, sizeof text - 1, format, args);
	va_end(args);
	if (n > sizeof text - 2)
		n = sizeof text - 2;
	if (!n || text[n - 1] != '\n')
		text[n++] = '\n';
	exo_log_all(machine, text, n);
}
