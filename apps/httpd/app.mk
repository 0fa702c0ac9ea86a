# Built as build/httpd: a session's module, or started by the POSIX session. See docs/net.md.
httpd_SRC := $(wildcard apps/web/*.c)
GUEST_TESTS += $(BUILD)/httpd
