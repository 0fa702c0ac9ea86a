# Built as build/NAME, and in the root archive as /bin/NAME, by apps/build.mk.
ROOTFS += bin/NAME=$(BUILD)/NAME
