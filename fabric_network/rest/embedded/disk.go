package embedded

import (
	"io"
	"os"
)

// disk is one file as the ledger uses it. It exists so that a test can be the disk that loses power.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	Size() (int64, error)
}

type fileDisk struct{ *os.File }

func openDisk(path string) (disk, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	return fileDisk{file}, err
}

func (f fileDisk) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// syncFolder makes the names in a folder durable; a synced file without a synced name can be gone after a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func openForCheck(path string) (disk, error) {
	file, err := os.Open(path)
	return fileDisk{file}, err
}
