module custody

go 1.25.0

require (
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sys v0.45.0 // indirect
	google.golang.org/protobuf v1.36.12
)
