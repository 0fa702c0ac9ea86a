/* Domains with a proxy.  See domain_host.h. */
#include "libos/common/domain_host.h"
#include "libos/common/frames.h"
#include "libos/common/start.h"
#include "libos/common/text.h"

#define EAGAIN	11
#define ENOMEM	12
#define EBUSY	16
#define EINVAL	22
#define EPIPE	32

#define ADDRESS_LO	0x10000ul	/* where a program may lie, if not in the libOS's own area */
#define ADDRESS_HI	0x7fff00000000ul
#define STATUS_FAULT	139
#define TCP	6
#define STATUS_DESTROYED 137

static struct domain_host *all;
static uint64_t slots_taken;

static int refuse(struct domain_start *q, int error, const char *what, uint64_t status)
{
	if (status)
		snprintf(q->error, sizeof q->error, "%s: %s", what, exo_status_text(status));
	else
		text_copy(q->error, what, sizeof q->error);
	return -error;
}

/* ---- slices ------------------------------------------------------------------------------ */

static bool slots_give(struct domain_host *d, unsigned n)
{
	const struct domain_host_config *c = d->config;
	for (unsigned i = 0; n && c->slices && i < c->slot_count && i < 64; i++) {
		if (slots_taken >> i & 1)
			continue;
		if (exo_slice_ctl(c->slices, c->slot_first + i, c->slot_ns, d->context).status)
			return false;
		slots_taken |= 1ul << i;
		d->slots |= 1ul << i;
		n--;
	}
	return !n;
}

static void slots_take_back(struct domain_host *d)
{
	for (unsigned i = 0; i < 64; i++)
		if (d->slots >> i & 1)
			exo_slice_ctl(d->config->slices, d->config->slot_first + i, 0, 0);
	slots_taken &= ~d->slots;
	d->slots = 0;
}

/* ---- starting ---------------------------------------------------------------------------- */

static void notify(void *arg)
{
	struct domain_host *d = arg;
	if (d->event)
		exo_event_signal(d->event, 1ul << PROXY_BIT);
}

/* The quota, the objects' frames, and the proxy's. */
static bool memory_get(struct domain_host *d, uint64_t bytes)
{
	uint64_t n = ((bytes ? bytes : DOMAIN_MEMORY) + EXO_PAGE_SIZE - 1) / EXO_PAGE_SIZE;
	d->object = frame_take();
	d->table = frame_take();
	d->frames = frame_alloc_run(PROXY_FRAMES);
	return d->object && d->table && d->frames && frames_left() > n &&
		frames_take(n, d->quota, DOMAIN_EXTENTS) == n;
}

/* A domain that made domains of its own may have given them frames: those aren't ours yet. */
static void put_owned(const struct exo_start_extent *e)
{
	struct exo_frame info;
	for (uint64_t pfn = e->pfn; pfn < (uint64_t)e->pfn + e->count; pfn++)
		if (!exo_frame_info(0, pfn, &info).status)
			frames_put(pfn, 1);
}

static void memory_put(struct domain_host *d, uint64_t returned)
{
	uint64_t given = 0;
	for (unsigned i = 0; i < DOMAIN_EXTENTS && d->quota[i].count; i++)
		given += d->quota[i].count;
	for (unsigned i = 0; i < DOMAIN_EXTENTS && d->quota[i].count; i++)
		if (returned == given)
			frames_put(d->quota[i].pfn, d->quota[i].count);
		else
			put_owned(&d->quota[i]);
	if (d->object)
		frames_put(d->object, 1);
	if (d->table)
		frames_put(d->table, 1);
	if (d->frames)
		frame_free_run(d->frames, PROXY_FRAMES);
}

/* ---- disks ------------------------------------------------------------------------------- */

static const struct domain_host *holder(const struct disk_part *part)
{
	return (const void *)((const uint8_t *)part - offsetof(struct domain_host, part));
}

/* The blocks that it asks for, to be written if the session may, and if nobody else has them. */
static int part_get(struct domain_host *d, struct domain_start *q)
{
	struct exo_extent_info info;
	struct exo_cap_info held;
	bool anywhere = q->disk_first == DOMAIN_ANYWHERE;
	uint64_t first = anywhere ? 0 : q->disk_first;
	uint64_t extent = q->disk <= EXO_START_CAPS ? start_cap_at(start_page, CAP_DISK, q->disk - 1) : 0;
	if (!extent || exo_cap_info(0, extent, &held).status || exo_extent_info(extent, &info).status ||
	    first >= info.count || (!anywhere && q->disk_count > info.count - first))
		return refuse(q, EINVAL, "the session has no such disk, or not so many blocks", 0);
	d->part = (struct disk_part){ .disk = info.disk, .first = info.base + first,
		.count = q->disk_count ? q->disk_count : info.count - first,
		.write = held.rights & EXO_R_WRITE };
	const struct disk_part *other = anywhere ? disk_part_find(&d->part, info.base + info.count) :
		disk_part_let(&d->part);
	if (other) {
		snprintf(q->error, sizeof q->error, "disk %lu is in use by %s (process %d)", q->disk - 1,
			holder(other)->name, holder(other)->pid);
		return -EBUSY;
	}
	d->disk = (struct spawn_cap){ CAP_DISK "0", extent,
		held.rights & (EXO_R_GRANT | EXO_R_READ | EXO_R_WRITE), d->part.first, d->part.count };
	return 0;
}

/* What the session itself has, to be read. */
static unsigned inspection_get(struct spawn_cap *caps)
{
	const char *const names[] = { CAP_FRAMES, CAP_SLICES };
	unsigned n = 0;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		uint64_t cap = start_cap(start_page, names[i]);
		if (cap)
			caps[n++] = (struct spawn_cap){ names[i], cap, EXO_R_READ, 0, 0 };
	}
	uint64_t net = start_cap_at(start_page, CAP_NET, 0);
	if (net)
		caps[n++] = (struct spawn_cap){ CAP_NET_ALL, net, 0, 0, 0 };
	return n;
}

static bool build(struct domain_host *d, struct spawn *s, const struct domain_start *q,
	const struct domain_gifts *gifts)
{
	const uint64_t rights = EXO_R_READ | EXO_R_WRITE;
	struct exo_result loan = exo_frame_lend(0, EXO_SLOT_ANY, d->frames, PROXY_FRAMES,
		rights | EXO_R_GRANT);
	struct spawn_cap caps[9 + DOMAIN_GIFTS] = {
		{ CAP_PROXY, loan.value, rights, 0, 0 },
		{ CAP_PROXY_EVENT, d->config->event, EXO_R_SIGNAL, d->config->event_bits, 0 },
		{ CAP_CLOCK, start_cap(start_page, CAP_CLOCK), EXO_R_READ | EXO_R_GRANT, 0, 0 },
	};
	*s = (struct spawn){ .elf = &d->elf, .quota = d->quota, .object = d->object, .table = d->table,
		.caps = caps, .cap_count = 3, .cpu = d->config->cpu, .status = loan.status };
	if (loan.status) {
		s->error = "frame_lend";
		return false;
	}
	d->loan = loan.value;
	if (d->part.count)
		caps[s->cap_count++] = d->disk;
	if (q->inspect)
		s->cap_count += inspection_get(&caps[s->cap_count]);
	if (q->port) {
		caps[s->cap_count++] = (struct spawn_cap){ CAP_NET "0", d->port.in, EXO_R_USE, 0, 0 };
		caps[s->cap_count++] = (struct spawn_cap){ CAP_NET_SEND, d->port.out, EXO_R_USE, 0, 0 };
	}
	for (unsigned i = 0; gifts && i < gifts->cap_count && i < DOMAIN_GIFTS; i++)
		caps[s->cap_count++] = gifts->caps[i];
	s->modules = gifts ? gifts->modules : NULL;
	s->module_count = gifts ? gifts->module_count : 0;
	while (s->quota_extents < DOMAIN_EXTENTS && d->quota[s->quota_extents].count)
		s->quota_extents++;
	if (!spawn_create(s))
		return false;
	d->domain = s->domain;
	d->context = s->context;
	return true;
}

/* The events both ways, the slices, and off it goes. */
static uint64_t launch(struct domain_host *d, struct spawn *s, unsigned slices)
{
	struct exo_result e = exo_event_create(EXO_SLOT_ANY, d->context, 1ul << PROXY_BIT);
	if (e.status)
		return e.status;
	d->event = e.value;
	uint64_t status = exo_domain_ctl(d->domain, EXO_DOM_WATCH, d->config->event,
		d->config->event_bits).status;
	if (!status && !slots_give(d, slices))
		status = EXO_LIMIT;
	return status ? status : spawn_start(s);
}

static int start_checked(struct domain_host *d, struct domain_start *q, const char *strings,
	const struct domain_gifts *gifts)
{
	struct spawn s;
	int error;
	if (!memory_get(d, q->memory))
		return refuse(q, ENOMEM, "the session has not that much memory to give", 0);
	if (!proxy_host_init(&d->proxy, physmap_page(d->frames), q->argc, q->envc, strings,
			q->strings_size, notify, d))
		return refuse(q, EINVAL, "too many arguments", 0);
	proxy_host_window(&d->proxy, q->rows, q->columns);
	if (q->disk && (error = part_get(d, q)))
		return error;
	uint64_t status = q->port ? flow_ports(&d->port, start_cap_at(start_page, CAP_NET, 0), TCP, q->port,
		1, gifts ? gifts->ip : NULL) : EXO_OK;
	if (status)
		return refuse(q, EINVAL, "the session has no network card to give a port of", status);
	if (!build(d, &s, q, gifts))
		return refuse(q, ENOMEM, s.error, s.status);
	status = launch(d, &s, q->slices);
	return status ? refuse(q, ENOMEM, "it cannot start", status) : 0;
}

int domain_host_start(struct domain_host *d, const struct domain_host_config *config,
	struct domain_start *q, const void *image, size_t size, const char *strings,
	const struct domain_gifts *gifts, const char *name, int pid)
{
	memset(d, 0, sizeof *d);
	d->config = config;
	d->pid = pid;
	text_copy(d->name, name, sizeof d->name);
	const char *error = elf_parse(image, size, ADDRESS_LO, ADDRESS_HI, &d->elf);
	if (error && elf_parse(image, size, EXO_MONITOR_BASE, EXO_MONITOR_END, &d->elf))
		return refuse(q, EINVAL, error, 0);
	if (elf_check_note(&d->elf, d->elf.libos[0] ? d->elf.libos : "bare", q->error, sizeof q->error))
		return -EINVAL;
	int result = start_checked(d, q, strings, gifts);
	if (!result) {
		d->next = all;
		all = d;
		return 0;
	}
	domain_host_close(d);
	return result;
}

void domain_host_close(struct domain_host *d)
{
	for (struct domain_host **p = &all; *p; p = &(*p)->next)
		if (*p == d) {
			*p = d->next;
			break;
		}
	uint64_t returned = 0;
	slots_take_back(d);
	if (d->domain)
		spawn_destroy(d->domain, &returned);
	if (d->loan)
		exo_delete_all(0, d->loan);
	flow_part_end(&d->port);
	disk_part_end(&d->part);
	memory_put(d, returned);
	memset(d, 0, sizeof *d);
}

/* ---- messages --------------------------------------------------------------------------- */

static long message(void *buffer, unsigned type, unsigned value, size_t size)
{
	*(struct domain_message *)buffer = (struct domain_message){ type, value, size, 0 };
	return sizeof(struct domain_message) + size;
}

static void to_log(void *arg, const char *text)
{
	(void)arg;
	log_line("%s", text);
}

/* How it ended, once all its output has been read. */
static long read_exit(struct domain_host *d, const struct exo_domain_info *info, void *buffer)
{
	char *text = (char *)buffer + sizeof(struct domain_message);
	unsigned status;
	d->told = true;
	if (info->reason == EXO_DEAD_EXIT) {
		if (!proxy_host_status(&d->proxy, &status))
			status = info->status & 255;
		return message(buffer, DOMAIN_EXIT, status, 0);
	}
	death_report(d->domain, &d->elf, to_log, NULL);
	death_text(info, text, 160);
	status = info->reason == EXO_DEAD_EXCEPTION ? STATUS_FAULT : STATUS_DESTROYED;
	return message(buffer, DOMAIN_EXIT, status, strlen(text));
}

static bool ended(const struct domain_host *d, struct exo_domain_info *info)
{
	return exo_domain_info(d->domain, info).status ||
		(info->state != EXO_DS_ACTIVE && info->state != EXO_DS_STOPPED);
}

static long read_request(struct domain_host *d, void *buffer)
{
	struct proxy_slot q;
	struct domain_request *r = (void *)((uint8_t *)buffer + sizeof(struct domain_message));
	int slot = proxy_host_request(&d->proxy, &q, r + 1);
	if (slot < 0)
		return 0;
	*r = (struct domain_request){ q.op, q.file, q.offset, q.length };
	size_t data = q.op == PROXY_WRITE ? q.length : q.op == PROXY_OPEN ? q.length + 1 : 0;
	return message(buffer, DOMAIN_ASKED, slot, sizeof *r + data);
}

long domain_host_read(struct domain_host *d, void *buffer)
{
	struct exo_domain_info info;
	uint8_t *payload = (uint8_t *)buffer + sizeof(struct domain_message);
	if (d->told)
		return -1;
	bool over = ended(d, &info);	/* looked at before the rings: then nothing comes after */
	for (unsigned stream = 1; stream <= 2; stream++) {
		size_t n = proxy_host_out(&d->proxy, stream, payload, PROXY_SLOT_SIZE);
		if (n)
			return message(buffer, DOMAIN_OUT, stream, n);
	}
	long n = read_request(d, buffer);
	return n || !over ? n : read_exit(d, &info, buffer);
}

static long write_reply(struct domain_host *d, unsigned slot, const uint8_t *payload, size_t n)
{
	int64_t result;
	if (n < sizeof result || slot >= PROXY_SLOTS)
		return -EINVAL;
	memcpy(&result, payload, sizeof result);
	proxy_host_reply(&d->proxy, slot, result, payload + sizeof result, n - sizeof result);
	return 0;
}

static long write_in(struct domain_host *d, const uint8_t *payload, size_t n)
{
	struct exo_domain_info info;
	if (ended(d, &info) || ring_stopped(&d->proxy.in))
		return -EPIPE;
	size_t took = proxy_host_in(&d->proxy, payload, n);
	return took || !n ? (long)took : -EAGAIN;
}

long domain_host_write(struct domain_host *d, const void *bytes, size_t n)
{
	struct domain_message m;
	const uint8_t *payload = (const uint8_t *)bytes + sizeof m;
	long result = 0;
	if (n < sizeof m)
		return -EINVAL;
	memcpy(&m, bytes, sizeof m);
	if (m.size != n - sizeof m)
		return -EINVAL;
	switch (m.type) {
	case DOMAIN_IN:
		result = write_in(d, payload, m.size);
		return result < 0 ? result : (long)sizeof m + result;
	case DOMAIN_IN_END:
		proxy_host_in_end(&d->proxy);
		break;
	case DOMAIN_OUT_STOP:
		proxy_host_out_stop(&d->proxy, m.value);
		break;
	case DOMAIN_SIGNAL:
		proxy_host_signal(&d->proxy, m.value);
		break;
	case DOMAIN_WINDOW:
		proxy_host_window(&d->proxy, m.value >> 16, m.value & 0xffff);
		break;
	case DOMAIN_REPLY:
		result = write_reply(d, m.value, payload, m.size);
		break;
	default:
		return -EINVAL;
	}
	return result < 0 ? result : (long)n;
}

unsigned domain_host_poll(struct domain_host *d)
{
	struct exo_domain_info info;
	unsigned can = proxy_host_poll(&d->proxy, true);
	unsigned result = can & PROXY_CAN_IN ? DOMAIN_CAN_WRITE : 0;
	if (d->told || can & (PROXY_HAS_OUT | PROXY_HAS_ERR | PROXY_HAS_ASKED) || ended(d, &info))
		result |= DOMAIN_CAN_READ;
	return result;
}

static void list_one(struct domain_entry *e, uint64_t domain, int pid, const char *name)
{
	struct exo_domain_info info;
	memset(e, 0, sizeof *e);
	if (exo_domain_info(domain, &info).status)
		return;
	*e = (struct domain_entry){ .id = info.id, .parent = info.parent, .frames = info.frames,
		.run_time = info.run_time, .slices = info.slices, .state = info.state, .pid = pid };
	text_copy(e->name, name, sizeof e->name);
}

unsigned domain_host_list(struct domain_entry *entries, unsigned max)
{
	unsigned n = 0;
	if (max)
		list_one(&entries[0], 0, 0, "session");
	n = 1;
	for (struct domain_host *d = all; d; d = d->next, n++)
		if (n < max)
			list_one(&entries[n], d->domain, d->pid, d->name);
	return n;
}
