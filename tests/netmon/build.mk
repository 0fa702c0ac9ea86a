# The browser for netmon's page. Where the archives have none, the suite says so instead of running.

CHECK_TESTS += $(BUILD)/tests/browser
$(BUILD)/tests/browser:
	@mkdir -p $(@D)
	$(Q)tools/fetch $(BUILD) whole chromium-headless-shell || [ $$? = 3 ]
	$(Q)touch $@
