/* Ports and interrupts: what is left of them with a domain that had them, and at the table's end. */
#include <string.h>
#include "exo/core/device.h"
#include "tests/host/test.h"

static unsigned device_put(unsigned slot, const struct device *dev)
{
	struct slot cap = { .type = EXO_T_DEVICE, .rights = EXO_R_USE | EXO_R_GRANT, .aux = device_add(dev) };
	uint64_t name;

	CHECK(!cap_insert(model_init(), slot, 0, &cap, NULL, &name), "insert");
	return cap.aux;
}

/* Who opens them next touches nothing of a domain that is no more. */
TEST(ports_forget_who_had_them)
{
	struct actor a = actor_make(60);
	uint32_t object = a.d->id;
	uint8_t before[EXO_PAGE_SIZE];

	device_put(90, &(struct device){ .port = 0x60, .port_count = 5 });
	OK(CALL6(CAP_COPY, a.cap, 20, 90, EXO_R_USE, 0, 0));
	CHECK(model_run(0, a.d), "runs");
	OK(CALL2(DEVICE_CTL, 20, EXO_DEV_PORTS));
	CHECK(a.d->ports[0].first == 0x60 && a.d->ports[0].count == 5, "open");
	CHECK(model_run(0, model_init()), "runs");
	OK(FINISH(CALL1(DOMAIN_DESTROY, a.cap)));
	OK(FINISH(CALL2(CAP_DELETE, 0, a.cap)));
	CHECK(frame_table[object].type == EXO_F_DATA, "gone");
	for (unsigned i = 0; i < EXO_PAGE_SIZE / 2; i++)	/* looks like this port everywhere */
		((uint16_t *)pfn_to_virt(object))[i] = 0x60;
	memcpy(before, pfn_to_virt(object), sizeof before);
	OK(CALL2(DEVICE_CTL, 90, EXO_DEV_PORTS));
	CHECK(!memcmp(before, pfn_to_virt(object), sizeof before), "init's data stay");
	CHECK(model_init()->ports[0].first == 0x60 && model_init()->ports[0].count == 5,
		"open again");
	/* Of several, the ones that are lost. */
	device_put(91, &(struct device){ .port = 0x70, .port_count = 2 });
	OK(CALL2(DEVICE_CTL, 91, EXO_DEV_PORTS));
	OK(CALL2(CAP_DELETE, 0, 90));
	CHECK(!model_init()->ports[0].count && model_init()->ports[1].first == 0x70 &&
		model_init()->ports[1].count == 2,
		"the others stay");
}

/* They are closed wherever they stand among a domain's. */
TEST(ports_move_from_any_place)
{
	struct actor a = actor_make(60);

	for (unsigned i = 0; i < DOMAIN_PORTS; i++) {
		device_put(90 + i, &(struct device){ .port = 0x60 + 8 * i, .port_count = 5 });
		OK(CALL6(CAP_COPY, a.cap, 20 + i, 90 + i, EXO_R_USE, 0, 0));
	}
	CHECK(model_run(0, a.d), "runs");
	for (unsigned i = 0; i < DOMAIN_PORTS; i++)
		OK(CALL2(DEVICE_CTL, 20 + i, EXO_DEV_PORTS));
	CHECK(model_run(0, model_init()), "runs");
	for (unsigned i = 0; i < DOMAIN_PORTS; i++) {
		CHECK(a.d->ports[i].first == 0x60 + 8 * i && a.d->ports[i].count == 5,
			"place %u", i);
		OK(CALL2(DEVICE_CTL, 90 + i, EXO_DEV_PORTS));
		for (unsigned j = 0; j < DOMAIN_PORTS; j++)
			CHECK(!a.d->ports[j].count == (j <= i), "place %u of %u", j, i);
	}
}

/* As many interrupts as there may be are told apart. */
TEST(interrupts_of_a_full_table)
{
	uint64_t *events = &context_control(this_cpu()->current)->events;
	unsigned n = 0, number;

	OK(CALL3(EVENT_CREATE, 80, 0, 0x30000));
	do
		number = device_put(n < 20 ? 90 + n : 0, &(struct device){ .has_irq = true, .gsi = 5 + n });
	while (n++, number < DEVICES_MAX - 1);
	OK(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, 80, 0x10000));
	OK(CALL4(DEVICE_CTL, 91, EXO_DEV_BIND, 80, 0x20000));
	*events = 0;
	device_interrupt(5);
	CHECK(*events == 0x10000, "the first");
	*events = 0;
	device_interrupt(6);
	CHECK(*events == 0x20000, "the second");
	*events = 0;
	device_interrupt(7);
	CHECK(!*events, "nobody's");
}
