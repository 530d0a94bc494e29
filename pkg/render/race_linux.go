//go:build linux && race

package render

const raceSlack = 16384 * mib
