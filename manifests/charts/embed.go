// Package charts holds the built-in charts, one per standard module.
package charts

import "embed"

// FS holds one directory per chart, named like its module.
//
//go:embed all:istio
var FS embed.FS
