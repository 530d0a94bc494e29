// Package charts holds the built-in charts, one per standard module. The named
// templates that they share stand in common, which every chart carries packed in
// its charts directory.
package charts

import "embed"

// FS holds one directory per chart, named like its module. Files whose names
// begin with an underscore are part of it.
//
//go:embed all:api-gateway all:application-connector all:certificates all:cluster-essentials all:cluster-users
//go:embed all:eventing all:helm-broker all:istio all:istio-resources all:kiali all:logging all:monitoring
//go:embed all:ory all:rafter all:serverless all:service-catalog all:service-catalog-addons all:tracing
var FS embed.FS
