// Package names gives HelmComponents their names and labels. A name is a
// function of the Kyma's and the module's name alone, and no two pairs of them
// share one.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/kyma-incubator/kymactl/pkg/apis/inventory/v1alpha1"
)

const (
	maxName  = 253 // of an object, RFC 1123 subdomain
	maxLabel = 63  // of a label value
)

// Child is the name of the HelmComponent of a Kyma's module.
//
// It is <kyma>-<module> where the Kyma's name has no dash, so that the first
// dash tells the two apart; else a Kyma `a` with a module `b-c` would share a
// name with a Kyma `a-b` with a module `c`. With a dash in the Kyma's name it is
// <kyma>.<module>: a module has no dot, so the last dot tells them apart. In the
// first form every dot comes before the first dash, in the second the last dot
// comes after it, so no name is of both. A name that would be too long ends in a
// hash of both parts; only such names have exactly 253 characters.
func Child(kyma, module string) string {
	separator := "-"
	if strings.Contains(kyma, "-") {
		separator = "."
	}
	return bounded(kyma+separator+module, kyma+"/"+module, maxName)
}

// Labels are the labels of the HelmComponent of a Kyma's module.
func Labels(kyma, module string) map[string]string {
	return map[string]string{
		v1alpha1.LabelKyma:   KymaLabel(kyma),
		v1alpha1.LabelModule: module,
	}
}

// KymaLabel is the value that selects the components of a Kyma: its name, or
// what fits of it and a hash.
func KymaLabel(kyma string) string { return bounded(kyma, kyma, maxLabel) }

// bounded returns s if it is shorter than most, else its beginning and the hash
// of identity, in exactly most characters.
func bounded(s, identity string, most int) string {
	if len(s) < most {
		return s
	}
	sum := sha256.Sum256([]byte(identity))
	hash := hex.EncodeToString(sum[:16])
	prefix := []byte(s[:most-len(hash)-1])
	// The part before the separator must not end in a dash or a dot.
	for i := len(prefix) - 1; i >= 0 && (prefix[i] == '-' || prefix[i] == '.'); i-- {
		prefix[i] = 'x'
	}
	return string(prefix) + "-" + hash
}
