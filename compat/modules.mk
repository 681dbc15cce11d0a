# SPDX-License-Identifier: GPL-2.0-only
#
# Build the modules of one side outside the source tree.  The including makefile
# sets "side"; KDIR is the kernel's build directory, O where to build.
#
# Kernels before 6.13 build external modules next to their sources only, so the
# build directory gets symbolic links to the sources.

KDIR ?= /lib/modules/$(shell uname -r)/build
O ?= ../build/$(side)

top := $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/..)
out := $(abspath $(O))
sources := $(shell cd $(top)/$(side) && find . -name '*.[ch]' -o -name Kbuild)

# The kernel's makefiles would take our O= for theirs.
MAKEOVERRIDES :=
unexport O

kbuild = $(MAKE) -C $(KDIR) M=$(out) VBUS_TOP=$(top) \
	 $(if $(W),W=$(W)) $(if $(C),C=$(C)) $(if $(V),V=$(V))

.PHONY: modules clean links
modules: links
	+$(kbuild) modules

links:
	@mkdir -p $(out)
	@find $(out) -type l -delete
	@for f in $(sources); do \
		mkdir -p $(out)/$$(dirname $$f) && \
		ln -s $(top)/$(side)/$$f $(out)/$$f || exit 1; \
	done

clean:
	rm -rf $(out)
