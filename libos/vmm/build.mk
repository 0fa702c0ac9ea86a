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

# XZ's inner loop once more, from Debian's source but made small: the library's is four pages of
# code, and under QEMU's translator each jump between pages is a search.  Its symbols come first.
XZ := $(BUILD)/src/xz-utils/src
XZ_INCLUDE := -I$(XZ)/common $(patsubst %,-I$(XZ)/liblzma/%,api common lz lzma rangecoder)
VMM_LZMA := $(BUILD)/u/xz/lzma_decoder.o
$(VMM_LZMA): $(BUILD)/src/xz-utils.stamp
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(UCFLAGS) -w -DHAVE_SMALL -DHAVE_STDBOOL_H -DHAVE_STDINT_H -DHAVE_STRING_H \
		-DHAVE_DECODERS -DHAVE_DECODER_LZMA1 -DHAVE_DECODER_LZMA2 -DNDEBUG $(XZ_INCLUDE) \
		-c -o $@ $(XZ)/liblzma/lzma/lzma_decoder.c

$(VMM_MONITOR): $(call uobj,libos/common/start_entry.S) $(VMM_OBJS) $(VMM_LZMA) $(VMM_LIBS) \
		$(LIBCOMMON) $(APP_LD)
	$(call say,LD)
	$(call link_app,0xffff840000000000)
