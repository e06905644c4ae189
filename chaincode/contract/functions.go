package contract

// Function describes one function of the contract.
type Function struct {
	Name      string
	Arguments []string // a schema, or a word for what is no record
	Writes    bool
	Limit     int    // bytes of the largest argument
	Event     string // without the ".v1" that the ledger sees; empty for reads
}

// Functions lists every function, writes first.
func Functions() []Function { return nil }
