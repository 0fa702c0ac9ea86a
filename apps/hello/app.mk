# Built as build/hello, and in the root archive as /bin/hello, by apps/build.mk.
ROOTFS += bin/hello=$(BUILD)/hello
