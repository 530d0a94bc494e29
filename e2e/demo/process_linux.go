package main

import "syscall"

// rssUnit is the unit of Rusage.Maxrss.
const rssUnit = 1024

// endWithParent makes a child that ends when this process does, even by SIGKILL, and that Ctrl-C in the terminal does not
// reach: it is stopped in order.
func endWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
