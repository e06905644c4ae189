package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const drain = commitWait + 10*time.Second

// Announce is the one line that a door prints once it serves.
func Announce(to io.Writer, listener net.Listener, genesis string) error {
	return json.NewEncoder(to).Encode(struct {
		Ready   bool   `json:"ready"`
		URL     string `json:"url"`
		Genesis string `json:"genesis"`
	}{true, "http://" + listener.Addr().String(), genesis})
}

// Serve answers until stop, then lets what is under way finish.
func Serve(stop context.Context, listener net.Listener, door *Door, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           door,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-stop.Done():
	}
	logger.Info("draining")
	door.HangUp()
	limit, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}
