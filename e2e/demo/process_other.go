//go:build !linux

package main

import "syscall"

// rssUnit is the unit of Rusage.Maxrss.
const rssUnit = 1

// endWithParent makes a child that Ctrl-C in the terminal does not reach: it is stopped in order.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
