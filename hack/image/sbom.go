package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// billOfMaterials lists, as CycloneDX JSON, the modules that the binary itself
// says it was linked from, so it cannot differ from what runs. It carries no
// serial number and no time of its own, so that equal binaries have equal bills.
func billOfMaterials(binary string, rev revision) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("read modules of the binary: %w", err)
	}
	components := []cdx.Component{goStandardLibrary(info.GoVersion)}
	references := []string{components[0].BOMRef}
	for _, module := range info.Deps {
		component := moduleComponent(module)
		components = append(components, component)
		references = append(references, component.BOMRef)
	}
	slices.Sort(references)

	root := "pkg:golang/" + info.Main.Path + "@" + rev.version
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{
		Timestamp: rev.time.Format(time.RFC3339),
		Component: &cdx.Component{
			BOMRef: root, Type: cdx.ComponentTypeApplication, Name: "kyma-operator",
			Version: rev.version, PackageURL: root,
		},
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: root, Dependencies: &references}}

	var out bytes.Buffer
	if err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("encode bill of materials: %w", err)
	}
	return out.Bytes(), nil
}

func goStandardLibrary(goVersion string) cdx.Component {
	version := strings.TrimPrefix(goVersion, "go")
	url := "pkg:golang/std@" + version
	return cdx.Component{BOMRef: url, Type: cdx.ComponentTypeLibrary, Name: "std", Version: version, PackageURL: url}
}

func moduleComponent(module *debug.Module) cdx.Component {
	if module.Replace != nil {
		module = module.Replace
	}
	url := "pkg:golang/" + module.Path + "@" + module.Version
	return cdx.Component{
		BOMRef: url, Type: cdx.ComponentTypeLibrary,
		Name: module.Path, Version: module.Version, PackageURL: url,
	}
}
