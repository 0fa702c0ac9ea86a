# The GC experiments: on Virtue and on Debian's Linux, in the same QEMU with the same disk.

EXPERIMENT_GC := $(GCLAB_LINUX) $(BUILD)/pkg/linux-image-amd64.stamp

.PHONY: experiment-gc
experiment-gc: all $(EXPERIMENT_GC) ## GC experiments on Virtue and Linux, resumable (FULL=1 ROUNDS=N)
	$(Q)tools/experiments/gc $(call flag,FULL,--full) $(call option,ROUNDS,--rounds) $(EXPERIMENT_ARGS)
