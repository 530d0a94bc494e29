package app

import (
	"io"
	"log/slog"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"
)

// newLogger makes the one logger of the process, client-go's included. Of logr's
// verbosities those up to verbosity come through.
func newLogger(w io.Writer, format string, verbosity int) logr.Logger {
	options := &slog.HandlerOptions{Level: slog.Level(-verbosity)}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if format == "json" {
		handler = slog.NewJSONHandler(w, options)
	}
	logger := logr.FromSlogHandler(handler)
	klog.SetLoggerWithOptions(logger, klog.ContextualLogger(true))
	return logger
}
