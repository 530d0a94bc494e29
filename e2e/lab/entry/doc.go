// Package entry tests e2e/load.sh with stand-ins for docker, kind, make and go
// that record how they are called: CI needs no container engine.
package entry
