# The GC experiments: on Virtue and on Debian's Linux, in the same QEMU with the same disk.

.PHONY: experiment-gc
experiment-gc: all $(GCLAB_LINUX) $(BUILD)/pkg/linux-image-amd64.stamp ## The GC experiments, resumable: docs/experiments/gc (FULL=1 for all, ROUNDS=N)
	$(Q)tools/experiments/gc $(call flag,FULL,--full) $(call option,ROUNDS,--rounds) $(EXPERIMENT_ARGS)
