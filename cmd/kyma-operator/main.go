// Command kyma-operator brings the modules of Kymas to success.
package main

import (
	"os"

	"github.com/kyma-incubator/kymactl/cmd/kyma-operator/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr))
}
