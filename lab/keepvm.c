// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keep an empty VM for as long as L1 runs.
 *
 * The kernel patches code of its scheduler (static keys of the preemption
 * notifiers) when its first VM comes and when its last one goes.  Under TCG that
 * patching is what sometimes kills L1 (see lab/README.md).  With a VM that stays
 * it happens once, before the command begins, when a boot may be repeated.
 */

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0 || ioctl(kvm, KVM_CREATE_VM, 0) < 0) {
		perror("keepvm: /dev/kvm");
		return 1;
	}
	if (daemon(0, 0)) {
		perror("keepvm: daemon");
		return 1;
	}
	for (;;)
		pause();
}
