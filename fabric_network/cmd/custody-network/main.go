// custody-network does for network.sh what takes more than a line of shell: it reads blocks and certificates, packs the
// chaincode, and waits for health and metrics.
package main

import (
	"fmt"
	"os"
)

type verb struct {
	name, usage string
	run         func(arguments []string) error
}

var verbs = []verb{
	{"genesis", "BLOCK: the hash of a block 0", printGenesis},
	{"package", "RULES BINARY FILE: write the chaincode's package, print its id", writePackage},
	{"issue", "CA KEY NAME HOST... FOLDER: server.crt and server.key for TLS, where they are missing or old", issueServer},
	{"certs", "FOLDER...: the days that each certificate has left", printCertificates},
	{"wait", "TLS PID URL [METRIC MINIMUM]: until a node is healthy, or one of its metrics is high enough", waitForNode},
	{"any", "TLS URL... METRIC MINIMUM: until a metric is high enough on one of several nodes", waitForAny},
	{"metric", "TLS URL METRIC: what a metric is now", printMetric},
	{"taken", "PORT...: the ports that something listens on already", printTaken},
	{"listening", "PID PORT: until a process listens", waitForPort},
	{"ready", "PID URL: until a door is ready", waitForDoor},
	{"readiness", "URL: whether a door is ready, and what keeps it", printReadiness},
	{"gone", "PID: until a process has ended", waitUntilGone},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "custody-network:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) > 0 {
		for _, v := range verbs {
			if v.name == arguments[0] {
				return v.run(arguments[1:])
			}
		}
	}
	usage := "what to do?"
	for _, v := range verbs {
		usage += fmt.Sprintf("\n  %s %s", v.name, v.usage)
	}
	return fmt.Errorf("%s", usage)
}
