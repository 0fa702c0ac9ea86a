/*
 * A stand-in for a machine, to test the run harness: a 32-bit multiboot2 program that speaks the
 * run protocol (docs/run-protocol.md) and can fail in each way a machine can. The command of
 * ./virtue run is its script, one step a line (see `steps`). Under mode=frame the steps speak
 * frames, otherwise COM2 is a terminal that echoes.
 *
 * It leaves everything else out: no paging, no interrupts, no ACPI but the power-off port of q35.
 */
#include <stdint.h>

#define COM1 0x3f8
#define COM2 0x2f8
#define DEBUG_EXIT 0xf4
#define Q35_PM1A_CONTROL 0x604
#define RESET_CONTROL 0xcf9
#define FRAME_MAX 4096

struct file {
	const char *data;
	uint32_t size;
};

struct step {
	const char *name;
	void (*run)(const char *argument);
};

void fake_main(uint32_t magic, const char *info);

static struct file overlay;
static const char *command_line = "";
static uint32_t exit_status;
static int spoil_checksum;
static int spoil_bye;

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" :: "a"(value), "Nd"(port));
}

static void out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" :: "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static uint32_t length(const char *s)
{
	uint32_t n = 0;

	while (s[n])
		n++;
	return n;
}

static int starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return 0;
	return 1;
}

static uint32_t number(const char *s)
{
	uint32_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (uint32_t)(*s++ - '0');
	return n;
}

static uint32_t hex8(const char *s)
{
	uint32_t n = 0;

	for (int i = 0; i < 8; i++)
		n = n * 16 + (uint32_t)(s[i] <= '9' ? s[i] - '0' : (s[i] | 32) - 'a' + 10);
	return n;
}

/* Serial ports */

static void port_put(uint16_t port, char c)
{
	while (!(in8(port + 5) & 0x20))
		;
	out8(port, (uint8_t)c);
}

static void port_print(uint16_t port, const char *s)
{
	while (*s)
		port_put(port, *s++);
}

static int session_ready(void)
{
	return in8(COM2 + 5) & 1;
}

static uint8_t session_get(void)
{
	while (!session_ready())
		__asm__ volatile("pause");
	return in8(COM2);
}

static void port_setup(uint16_t port)
{
	out8(port + 1, 0);
	out8(port + 2, 0xc7);	/* FIFOs on and emptied; QEMU then fills 14 bytes at once */
	out8(port + 3, 3);
	out8(port + 4, 3);
}

/* Frames */

static void frame_start(char type, uint32_t size)
{
	port_put(COM2, type);
	port_put(COM2, (char)size);
	port_put(COM2, (char)(size >> 8));
}

static void frame_send(char type, const void *data, uint32_t size)
{
	const char *p = data;

	frame_start(type, size);
	while (size--)
		port_put(COM2, *p++);
}

static void frames_send(char type, const char *p, uint32_t size)
{
	while (size) {
		uint32_t part = size < FRAME_MAX ? size : FRAME_MAX;

		frame_send(type, p, part);
		p += part;
		size -= part;
	}
}

static uint32_t frame_receive(char *type, char *data)
{
	uint32_t size;

	*type = (char)session_get();
	size = session_get();
	size |= (uint32_t)session_get() << 8;
	for (uint32_t i = 0; i < size; i++)
		data[i] = (char)session_get();
	return size;
}

static uint32_t crc32(const char *p, uint32_t size)
{
	uint32_t crc = ~0u;

	while (size--) {
		crc ^= (uint8_t)*p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

/* The overlay archive (newc) */

static struct file overlay_find(const char *path, uint32_t path_size)
{
	const char *p = overlay.data;
	const char *end = overlay.data + overlay.size;

	while (p && p + 110 < end) {
		uint32_t size = hex8(p + 54);
		uint32_t name_size = hex8(p + 94);
		const char *name = p + 110;
		const char *data = p + ((110 + name_size + 3) & ~3u);

		if (name_size == path_size + 1 && starts(path, name))
			return (struct file){ data, size };
		p = data + ((size + 3) & ~3u);
	}
	return (struct file){ 0, 0 };
}

static void file_send(uint16_t index, const char *path, uint32_t path_size)
{
	struct file file = overlay_find(path + 1, path_size - 1);
	uint32_t crc = crc32(file.data, file.size) ^ (uint32_t)spoil_checksum;
	struct {
		uint16_t index, status;
		uint64_t size;
	} __attribute__((packed)) head = { index, file.data ? 0 : 2, file.size };

	frame_send('G', &head, sizeof head);
	frames_send('D', file.data, file.size);
	frame_send('K', &crc, sizeof crc);
}

static void files_send(void)
{
	struct file list = overlay_find("run/virtue/get", 14);
	uint16_t index = 0;

	for (uint32_t at = 0, end; at < list.size; at = end + 1) {
		for (end = at; end < list.size && list.data[end] != '\n'; end++)
			;
		file_send(index++, list.data + at, end - at);
	}
}

/* Steps */

static void power_off(const char *argument)
{
	(void)argument;
	out16(Q35_PM1A_CONTROL, 0x2000);
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void triple_fault(const char *argument)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) none = { 0, 0 };

	(void)argument;
	__asm__ volatile("lidt %0; int3" :: "m"(none));
}

static void reset(const char *argument)
{
	(void)argument;
	out8(RESET_CONTROL, 6);
}

static void panic(const char *argument)
{
	port_print(COM1, "panic: ");
	port_print(COM1, argument);
	port_print(COM1, "\n  (no backtrace: this is the harness' test kernel)\n");
	out8(DEBUG_EXIT, 0x3c);
}

static void hang(const char *argument)
{
	(void)argument;
	for (;;)
		__asm__ volatile("cli; hlt");
}

static void print_log(const char *argument)
{
	port_print(COM1, argument);
	port_put(COM1, '\n');
}

static void print_out(const char *argument)
{
	frame_send('O', argument, length(argument));
	frame_send('O', "\n", 1);
}

static void print_err(const char *argument)
{
	frame_send('E', argument, length(argument));
	frame_send('E', "\n", 1);
}

/* `time`: how many cycles have passed since the start; equal in runs that repeat exactly. */
static void print_time(const char *argument)
{
	uint64_t time;
	char digits[17];

	(void)argument;
	__asm__ volatile("rdtsc" : "=A"(time));
	for (int i = 0; i < 16; i++)
		digits[i] = "0123456789abcdef"[time >> (60 - 4 * i) & 15];
	digits[16] = 0;
	print_out(digits);
}

/* `bytes N`: N frames of all 256 byte values on standard output. */
static void print_bytes(const char *argument)
{
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (uint32_t n = number(argument); n; n--)
		frame_send('O', all, sizeof all);
}

static void print_command_line(const char *argument)
{
	(void)argument;
	print_out(command_line);
}

/* `file PATH`: a file of the overlay on standard output. */
static void print_file(const char *argument)
{
	struct file file = overlay_find(argument + 1, length(argument) - 1);

	frames_send('O', file.data, file.size);
}

/* `echo`: standard input to standard output until its end. */
static void echo(const char *argument)
{
	static char data[65536];
	char type = 0;

	(void)argument;
	while (type != 'Z') {
		uint32_t size = frame_receive(&type, data);

		if (type == 'I')
			frame_send('O', data, size);
	}
}

/* `signal`: wait for a signal frame and say its number. */
static void wait_signal(const char *argument)
{
	static char data[65536];
	char type = 0;
	char digits[2];

	(void)argument;
	while (type != 'C')
		frame_receive(&type, data);
	digits[0] = (char)('0' + data[0]);
	digits[1] = 0;
	print_out(digits);
}

static void set_status(const char *argument)
{
	exit_status = number(argument);
}

static void bad_checksum(const char *argument)
{
	(void)argument;
	spoil_checksum = 1;
}

static void no_bye(const char *argument)
{
	(void)argument;
	spoil_bye = 1;
}

static void bad_frame(const char *argument)
{
	(void)argument;
	frame_send('?', "what", 4);
}

static const struct step steps[] = {
	{ "out ", print_out },
	{ "err ", print_err },
	{ "bytes ", print_bytes },
	{ "file ", print_file },
	{ "cmdline", print_command_line },
	{ "log ", print_log },
	{ "time", print_time },
	{ "echo", echo },
	{ "signal", wait_signal },
	{ "status ", set_status },
	{ "panic ", panic },
	{ "triple", triple_fault },
	{ "reset", reset },
	{ "hang", hang },
	{ "poweroff", power_off },
	{ "badcrc", bad_checksum },
	{ "badframe", bad_frame },
	{ "nobye", no_bye },
};

static void step_run(const char *line)
{
	for (uint32_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		if (starts(line, steps[i].name)) {
			steps[i].run(line + length(steps[i].name));
			return;
		}
	}
	print_err("fake: unknown step");
	exit_status = 127;
}

static void script_run(struct file script)
{
	static char line[1024];
	uint32_t n = 0;

	for (uint32_t i = 0; i < script.size; i++) {
		if (script.data[i] != '\n' && n < sizeof line - 1)
			line[n++] = script.data[i];
		if (script.data[i] == '\n' || i == script.size - 1) {
			line[n] = 0;
			if (n)
				step_run(line);
			n = 0;
		}
	}
}

static void session_frames(void)
{
	uint8_t status;

	frame_send('R', "VIRTUE 1", 8);
	script_run(overlay_find("run/virtue/cmd", 14));
	status = (uint8_t)exit_status;
	frame_send('S', &status, 1);
	files_send();
	if (!spoil_bye)
		frame_send('B', "", 0);
}

/* A terminal: echo each byte in brackets until `q` (power-off), `p` (panic) or `r` (reset). */
static void session_terminal(void)
{
	uint8_t c;

	port_print(COM2, "fake terminal\r\n");
	do {
		c = session_get();
		port_put(COM2, '[');
		port_put(COM2, (char)c);
		port_put(COM2, ']');
		if (c == 'p')
			panic("asked for");
		if (c == 'r')
			reset("");
	} while (c != 'q' && c != 4);
}

static void info_read(const char *info)
{
	uint32_t size = *(const uint32_t *)info;

	for (uint32_t at = 8; at < size;) {
		const uint32_t *tag = (const uint32_t *)(info + at);

		if (tag[0] == 1)
			command_line = (const char *)(tag + 2);
		if (tag[0] == 3 && starts((const char *)(tag + 4), "overlay"))
			overlay = (struct file){ (const char *)tag[2], tag[3] - tag[2] };
		if (tag[0] == 3) {
			port_print(COM1, "module ");
			print_log((const char *)(tag + 4));
		}
		at += (tag[1] + 7) & ~7u;
	}
}

static int has_word(const char *line, const char *word)
{
	for (; *line; line++)
		if (starts(line, word))
			return 1;
	return 0;
}

void fake_main(uint32_t magic, const char *info)
{
	port_setup(COM1);
	port_setup(COM2);
	if (magic != 0x36d76289)
		panic("not started by multiboot2");
	info_read(info);
	print_log(command_line);
	if (has_word(command_line, "mode=frame"))
		session_frames();
	else
		session_terminal();
	power_off("");
}
