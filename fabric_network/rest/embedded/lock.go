package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps a second process from writing the same ledger. The kernel lets go of it when the process ends, however it ends.
func lock(dir string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("another process serves the ledger in %s: %w", dir, err)
	}
	return file, nil
}
