# laco: make | make demo | make test | make bench | make bench-check | make install | make clean
#   SAN=address,undefined  or  SAN=thread   builds everything with those sanitizers, in a folder of its own
#   CC=clang  PREFIX=/usr/local  DESTDIR=  V=1
# Sources are found by wildcard. src/*/*.kernel.c is compiled once per instruction set and real type.

CC      ?= gcc
PREFIX  ?= /usr/local
JOBS    ?= $(shell nproc 2>/dev/null || echo 1)
VERSION := $(shell sed -n 's/^.define LACO_VERSION_[A-Z]* *//p' include/laco.h | paste -sd.)
comma   := ,
BUILD   := build$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(CROSS),-$(CROSS))
Q       := $(if $(V),,@)
SAY      = $(if $(V),,@printf '  %-5s %s\n')

# -fno-math-errno and -fno-trapping-math change no result; -ffast-math is never used
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ALL_CFLAGS = -std=gnu17 $(WARN) $(CFLAGS) -fPIC -fvisibility=hidden -fno-math-errno -fno-trapping-math \
             -ffunction-sections -fdata-sections -pthread -Iinclude -Isrc -D_GNU_SOURCE $(OPTIONAL_CFLAGS) $(SAN_FLAGS)
SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined))
LIBS    = -lm $(OPTIONAL_LIBS)

# optional libraries: found by pkg-config, listed by `laco version`
PKG      = $(shell pkg-config --exists $(1) 2>/dev/null && echo yes)
OPTIONAL_CFLAGS := $(if $(CROSS),,$(if $(call PKG,zlib),-DHAVE_ZLIB $(shell pkg-config --cflags zlib)) \
                   $(if $(call PKG,libutf8proc),-DHAVE_UTF8PROC $(shell pkg-config --cflags libutf8proc)) \
                   $(if $(call PKG,sndfile),-DHAVE_SNDFILE $(shell pkg-config --cflags sndfile)))
OPTIONAL_LIBS   := $(if $(CROSS),,$(if $(call PKG,zlib),$(shell pkg-config --libs zlib)) \
                   $(if $(call PKG,libutf8proc),$(shell pkg-config --libs libutf8proc)) \
                   $(if $(call PKG,sndfile),$(shell pkg-config --libs sndfile)))

MACHINE := $(shell $(CC) -dumpmachine)
ISAS    := $(if $(findstring x86_64,$(MACHINE)),portable avx2 avx512,$(if $(findstring aarch64,$(MACHINE)),neon,portable))
FLAGS_avx2   := -mavx2 -mfma
FLAGS_avx512 := -mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma -mprefer-vector-width=512
KERNEL_OPT   := -O3 -fno-stack-protector

SRC     := $(filter-out %.kernel.c,$(wildcard src/*/*.c))
KERNELS := $(wildcard src/*/*.kernel.c)
APP     := $(wildcard app/*.c)
TESTS   := $(wildcard test/test_*.c)
FUZZ    := $(wildcard test/fuzz/fuzz_*.c)
OBJ     := $(SRC:%.c=$(BUILD)/%.o)
KOBJ    := $(foreach i,$(ISAS),$(foreach r,f32 f64,$(KERNELS:%.kernel.c=$(BUILD)/%.$(i).$(r).o)))
LIBOBJ  := $(OBJ) $(KOBJ)
APPOBJ  := $(APP:%.c=$(BUILD)/%.o)

all: setup
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) build
build: $(BUILD)/laco $(BUILD)/liblaco.a $(BUILD)/liblaco.so
setup:
	$(Q)tools/setup

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(SAY) CC $<
	$(Q)$(CC) $(ALL_CFLAGS) -DLACO_ISAS='"$(ISAS)"' $(foreach i,$(ISAS),-DHAVE_ISA_$(i)) -MMD -MP -c $< -o $@
define kernel_rule
$$(BUILD)/%.$(1).$(2).o: %.kernel.c $$(BUILD)/flags
	@mkdir -p $$(@D)
	$$(SAY) CC "$$< $(1) $(2)"
	$$(Q)$$(CC) $$(ALL_CFLAGS) $$(KERNEL_OPT) $$(FLAGS_$(1)) -DISA=$(1) -DREAL_$(2) -MMD -MP -c $$< -o $$@
endef
$(foreach i,$(ISAS),$(foreach r,f32 f64,$(eval $(call kernel_rule,$(i),$(r)))))

# rebuilt when the flags change
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@echo '$(CC) $(ALL_CFLAGS) $(ISAS)' | cmp -s - $@ || echo '$(CC) $(ALL_CFLAGS) $(ISAS)' > $@

# one relocatable object with hidden names made local: the archive shows the names of laco.h and no other
$(BUILD)/liblaco.a: $(LIBOBJ)
	$(SAY) AR $@
	$(Q)$(CROSS_PREFIX)ld -r -o $(BUILD)/liblaco.o $^ && $(CROSS_PREFIX)objcopy --localize-hidden $(BUILD)/liblaco.o && rm -f $@ && $(AR) rcs $@ $(BUILD)/liblaco.o
$(BUILD)/liblaco.so: $(LIBOBJ)
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -Wl,-soname,liblaco.so.0 -o $@ $^ $(LIBS)
$(BUILD)/laco: $(APPOBJ) $(BUILD)/liblaco.a
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/test/%: $(BUILD)/test/%.o $(LIBOBJ)
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lcmocka $(LIBS)
$(BUILD)/fuzz/%: $(BUILD)/test/fuzz/%.o $(BUILD)/test/fuzz/replay.o $(LIBOBJ)
	@mkdir -p $(@D)
	$(SAY) LD $@
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
.SECONDARY:

tests: build $(TESTS:%.c=$(BUILD)/%) $(FUZZ:test/fuzz/%.c=$(BUILD)/fuzz/%)
test: setup-test
	$(Q)$(MAKE) --no-print-directory -j$(JOBS) tests
	$(Q)BUILD=$(BUILD) SAN=$(SAN) CC="$(CC)" test/run
setup-test:
	$(Q)tools/setup test
demo: all
	$(Q)$(BUILD)/laco demo
# BENCH="--quick --rows lstm": options of bench/run
bench: all
	$(Q)tools/setup bench
	$(Q)if command -v python3 >/dev/null; then BUILD=$(BUILD) bench/run $(BENCH) && $(BUILD)/laco bench cells --seconds 0.3; \
	  else echo "no python3, so no peers: laco alone"; $(BUILD)/laco bench; fi
bench-check: all
	$(Q)tools/setup bench
	$(Q)BUILD=$(BUILD) bench/instructions

install: build $(BUILD)/laco.1 $(BUILD)/laco.pc
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(BUILD)/laco $(DESTDIR)$(PREFIX)/bin/laco
	install -m 644 include/laco.h $(DESTDIR)$(PREFIX)/include/laco.h
	install -m 644 $(BUILD)/liblaco.a $(DESTDIR)$(PREFIX)/lib/liblaco.a
	install -m 755 $(BUILD)/liblaco.so $(DESTDIR)$(PREFIX)/lib/liblaco.so.$(VERSION)
	ln -sf liblaco.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/liblaco.so.0
	ln -sf liblaco.so.0 $(DESTDIR)$(PREFIX)/lib/liblaco.so
	install -m 644 $(BUILD)/laco.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/laco.pc
	install -m 644 $(BUILD)/laco.1 $(DESTDIR)$(PREFIX)/share/man/man1/laco.1
$(BUILD)/laco.1: $(BUILD)/laco
	$(Q)$(BUILD)/laco help --man > $@
$(BUILD)/laco.pc: FORCE
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: laco' \
	  'Description: recurrent neural networks' 'Version: $(VERSION)' 'Cflags: -I$${includedir}' \
	  'Libs: -L$${libdir} -llaco' 'Libs.private: $(strip $(LIBS)) -pthread' > $@
clean:
	rm -rf build build-*
FORCE:
.PHONY: all build setup tests test setup-test demo bench bench-check install clean FORCE
-include $(LIBOBJ:.o=.d) $(APPOBJ:.o=.d) $(TESTS:%.c=$(BUILD)/%.d) $(FUZZ:%.c=$(BUILD)/%.d)
