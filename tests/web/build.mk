# The web server's TCP (apps/web) on the host, against the stack of libos/posix/net (tests/stack).

HOST_TESTS += $(BUILD)/tests/web
WEB_SRC := $(filter-out %/card.c,$(wildcard apps/web/*.c))
WEB_CLIENT := $(filter-out %/test_stack.o,$(STACK_HOST)) $(call hobj,tests/web/client.c)
$(BUILD)/tests/web: $(WEB_CLIENT) $(call hobj,tests/web/test_web.c $(WEB_SRC))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

# Clients for the machine, on a lossy wire.
CHECK_TESTS += $(BUILD)/tests/web-peer
$(BUILD)/tests/web-peer: $(WEB_CLIENT) $(call hobj,tests/web/peer.c)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

$(call hobj,tests/web/test_web.c tests/web/client.c tests/web/peer.c): HCFLAGS += -D_GNU_SOURCE
