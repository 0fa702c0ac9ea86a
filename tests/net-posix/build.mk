# Programs that tests/net-posix/run brings into the machine.

NET_POSIX_ROOT := $(BUILD)/tests/net-posix/root

$(NET_POSIX_ROOT)/bin/%: tests/net-posix/%.c
	$(call say,MUSL)
	@mkdir -p $(@D)
	$(Q)musl-gcc -std=gnu17 -O2 -Wall -Wextra -Werror -static -o $@ $<

GUEST_TESTS += $(NET_POSIX_ROOT)/bin/dns $(NET_POSIX_ROOT)/bin/fuzz

# Servers from Debian's sources, static with musl; where musl has no headers of the kernel, the
# system's serve.  make here has nothing to do with ours: variables and flags stay outside.
SERVERS := $(BUILD)/servers
ALONE := env -i PATH="$$PATH" HOME=/nonexistent
REDIS_MAKE = $(ALONE) make -j2 -C $(SERVERS)/redis/src MALLOC=libc USE_SYSTEMD=no CC=musl-gcc OPT=-O2 \
	CFLAGS="-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu" LDFLAGS=-static
CHECK_TESTS += $(SERVERS)/root/bin/redis-server $(SERVERS)/root/bin/nginx

$(SERVERS)/root/bin/redis-server: $(BUILD)/src/redis.stamp
	$(call say,MUSL)
	@mkdir -p $(@D) && rm -rf $(SERVERS)/redis && cp -r $(BUILD)/src/redis $(SERVERS)/redis
	$(Q)$(REDIS_MAKE) redis-server > $(SERVERS)/redis.log 2>&1 || { tail -n 20 $(SERVERS)/redis.log; false; }
	$(Q)strip -o $@ $(SERVERS)/redis/src/redis-server

# musl of Debian has no crypt: passwords of users are not looked at.
$(SERVERS)/root/bin/nginx: $(BUILD)/src/nginx.stamp tests/net-posix/crypt.c
	$(call say,MUSL)
	@mkdir -p $(@D) $(SERVERS)/include && rm -rf $(SERVERS)/nginx
	@cp -r $(BUILD)/src/nginx $(SERVERS)/nginx
	@ln -sfn /usr/include/linux $(SERVERS)/include/linux
	@ln -sfn /usr/include/asm-generic $(SERVERS)/include/asm-generic
	@ln -sfn /usr/include/x86_64-linux-gnu/asm $(SERVERS)/include/asm
	@echo 'char *crypt(const char *key, const char *salt);' > $(SERVERS)/include/crypt.h
	$(Q)musl-gcc -O2 -Wall -Wextra -Werror -c -o $(SERVERS)/crypt.o tests/net-posix/crypt.c
	$(Q)ar rcs $(SERVERS)/libcrypt.a $(SERVERS)/crypt.o
	$(Q)cd $(SERVERS)/nginx && { $(ALONE) sh configure --prefix=/srv --error-log-path=stderr \
		--with-cc=musl-gcc --with-cc-opt="-O2 -I$(abspath $(SERVERS))/include" \
		--with-ld-opt="-static -L$(abspath $(SERVERS))" --without-http_rewrite_module \
		--without-http_gzip_module && $(ALONE) make -j2; } > ../nginx.log 2>&1 || \
		{ tail -n 20 ../nginx.log; false; }
	$(Q)strip -o $@ $(SERVERS)/nginx/objs/nginx
