package rest

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAStreamThatHasNothingToTellShowsThatItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := httptest.NewRecorder()
		out := newStream(answer)
		ctx, cancel := context.WithCancel(t.Context())
		var beating sync.WaitGroup
		beating.Go(func() { out.beat(ctx, cancel) })
		time.Sleep(35 * time.Second)
		cancel()
		beating.Wait()
		if got := answer.Body.String(); got != strings.Repeat("\n", 3) || !answer.Flushed {
			t.Errorf("in 35 seconds: %q", got)
		}
	})
}
