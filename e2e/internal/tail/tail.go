// Package tail gives the end of a log, for errors and failed tests.
package tail

import (
	"os"
	"strings"
)

// Lines returns the last lines of a text.
func Lines(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// File returns the last lines of a file, "" where there is none.
func File(path string, lines int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return Lines(string(data), lines)
}
