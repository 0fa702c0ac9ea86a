# The web server's TCP (apps/web) on the host, against the stack of libos/posix/net (tests/stack).

HOST_TESTS += $(BUILD)/tests/web
WEB_SRC := $(filter-out %/card.c,$(wildcard apps/web/*.c))
$(BUILD)/tests/web: $(filter-out %/test_stack.o,$(STACK_HOST)) $(call hobj,tests/web/test_web.c $(WEB_SRC))
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HLDFLAGS) -o $@ $^

$(call hobj,tests/web/test_web.c): HCFLAGS += -D_GNU_SOURCE
