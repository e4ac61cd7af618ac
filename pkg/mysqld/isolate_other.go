//go:build !linux

package mysqld

import "syscall"

func setParentDeathSignal(*syscall.SysProcAttr) {}
