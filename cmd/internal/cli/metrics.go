package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// What somebody who asks for metrics is allowed.
const (
	metricsTime   = 5 * time.Second
	metricsHeader = 8 << 10 // bytes
)

// serveMetrics answers Prometheus on a listener of its own, with nothing else behind
// it, until ctx ends. A place that is taken is no reason not to run.
func serveMetrics(ctx context.Context, listen string, metrics http.Handler, log *slog.Logger) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		log.Error("no metrics", "error", fmt.Errorf("telemetry.metrics_listen: %w", err))
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: metricsTime, ReadTimeout: metricsTime, WriteTimeout: metricsTime, IdleTimeout: time.Minute,
		MaxHeaderBytes: metricsHeader, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("metrics", "address", "http://"+l.Addr().String()+"/metrics")
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err = <-served:
		return fmt.Errorf("serve metrics: %w", err)
	case <-ctx.Done():
	}
	err = server.Close()
	if serving := <-served; !errors.Is(serving, http.ErrServerClosed) {
		err = errors.Join(err, serving)
	}
	return err
}
