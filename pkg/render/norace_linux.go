//go:build linux && !race

package render

const raceSlack = 0
