// Command etcd is the etcd server itself: its module ships etcdmain as a
// package, and this main makes it a program that `go build` can make.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
