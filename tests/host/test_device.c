/* Devices: ports and interrupts belong to one domain. */
#include "exo/core/device.h"
#include "tests/host/play.h"
#include "tests/host/test.h"

static void one_device_more(void) { device_add(&(struct device){ 0 }); }

TEST(devices_belong_to_one)
{
	struct slot cap = { .type = EXO_T_DEVICE, .rights = EXO_R_USE | EXO_R_GRANT };
	struct actor a = actor_make(60);
	uint64_t name, event;
	unsigned before, with = device_add(&(struct device){ .port = 0x60, .port_count = 5, .has_irq = true, .gsi = 9 });
	unsigned bare = device_add(&(struct device){ .gsi = 9 });

	cap.aux = with;
	CHECK(!cap_insert(model_init(), 90, 0, &cap, NULL, &name), "insert");
	cap.aux = bare;
	CHECK(!cap_insert(model_init(), 91, 0, &cap, NULL, &name), "insert");
	event = CALL3(EVENT_CREATE, 0, 0, 0x30000).value;
	IS(CALL2(DEVICE_CTL, 91, EXO_DEV_PORTS), STATE, 1);
	IS(CALL4(DEVICE_CTL, 91, EXO_DEV_BIND, event, 0x10000), STATE, 1);
	IS(CALL2(DEVICE_CTL, 91, EXO_DEV_ACK), STATE, 1);
	IS(CALL2(DEVICE_CTL, 90, 9), ARG, 2);
	IS(CALL2(DEVICE_CTL, 89, 0), CAP, 1);
	OK(CALL2(DEVICE_CTL, 90, EXO_DEV_PORTS));
	OK(CALL2(DEVICE_CTL, 90, EXO_DEV_PORTS));
	CHECK(model_ports >= 1, "the machine is told");
	CHECK(model_init()->ports[0].first == 0x60 && model_init()->ports[0].count == 5, "ports");
	IS(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, 88, 0x10000), CAP, 3);
	IS(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, event, 0x40000), RIGHT, 4);
	OK(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, event, 0x10000));
	CHECK(model_unmasked == 1, "unmasked");
	OK(CALL2(DEVICE_CTL, 90, EXO_DEV_ACK));
	CHECK(model_unmasked == 2, "acknowledged");
	device_interrupt(8);
	CHECK(!control()->events, "another's interrupt");
	device_interrupt(9);
	CHECK(control()->events & 0x10000, "told");
	/* Ports go to who opens them, and end with the capability. */
	OK(CALL6(CAP_COPY, a.cap, 20, 90, EXO_R_USE, 0, 0));
	CHECK(model_run(0, a.d), "runs");
	a.d->ports[0].first = a.d->ports[0].count = 9;
	OK(CALL2(DEVICE_CTL, 20, EXO_DEV_PORTS));
	CHECK(a.d->ports[1].first == 0x60 && a.d->ports[1].count == 5 && !model_init()->ports[0].count, "moved");
	for (unsigned i = 1; i < DOMAIN_PORTS; i++)
		a.d->ports[i].first = a.d->ports[i].count = i;
	IS(CALL2(DEVICE_CTL, 20, EXO_DEV_PORTS), LIMIT, 1);
	a.d->ports[1].first = 0x60;
	CHECK(model_run(0, model_init()), "runs");
	before = model_ports;
	OK(CALL2(CAP_REVOKE, 0, 90));
	CHECK(model_ports == before + 1, "the machine is told");
	CHECK(!a.d->ports[1].count && a.d->ports[0].count && a.d->ports[2].count, "closed");
	control()->events = 0;
	device_interrupt(9);
	CHECK(control()->events & 0x10000, "the binding is init's own");
	OK(CALL2(CAP_DELETE, 0, event));
	control()->events = 0;
	device_interrupt(9);
	CHECK(!control()->events, "gone with the event");
	event = CALL3(EVENT_CREATE, 0, 0, 0x30000).value;
	OK(CALL4(DEVICE_CTL, 90, EXO_DEV_BIND, event, 0x10000));
	OK(CALL2(CAP_DELETE, 0, 90));
	device_interrupt(9);
	CHECK(!control()->events, "gone with the device");
	while (device_add(&(struct device){ 0 }) < DEVICES_MAX - 1)
		;
	CHECK(model_panics(one_device_more), "one too many");
}
