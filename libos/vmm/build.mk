# The VMM libOS: vmm-monitor, linked in the monitor area, in a domain of its own for each guest.
# Debian's decoders are linked into it.

VMM_SRC := $(sort $(wildcard libos/vmm/*.c libos/vmm/*.S))
VMM_OBJS := $(call uobj,$(VMM_SRC))
VMM_MONITOR := $(BUILD)/vmm-monitor
ROOTFS += lib/vmm/monitor=$(VMM_MONITOR)

VMM_PKG := $(BUILD)/pkg
VMM_LIBS := $(VMM_PKG)/liblz4-dev/usr/lib/x86_64-linux-gnu/liblz4.a \
	$(VMM_PKG)/liblzma-dev/usr/lib/x86_64-linux-gnu/liblzma.a
VMM_STAMPS := $(VMM_PKG)/liblz4-dev.stamp $(VMM_PKG)/liblzma-dev.stamp
VMM_INCLUDE := -isystem $(VMM_PKG)/liblz4-dev/usr/include -isystem $(VMM_PKG)/liblzma-dev/usr/include

$(VMM_LIBS): | $(VMM_STAMPS) ;
$(BUILD)/u/libos/vmm/decompress.o $(BUILD)/h/libos/vmm/decompress.o: $(VMM_STAMPS)
$(BUILD)/u/libos/vmm/decompress.o: UCFLAGS += $(VMM_INCLUDE)
$(BUILD)/h/libos/vmm/decompress.o: HCFLAGS += $(VMM_INCLUDE)

$(VMM_MONITOR): $(call uobj,libos/common/start_entry.S) $(VMM_OBJS) $(VMM_LIBS) $(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	$(call link_app,0xffff840000000000)
