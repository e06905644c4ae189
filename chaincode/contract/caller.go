package contract

// Identity is who signed a transaction, as far as the rules care.
type Identity struct{ MSP, Subject, Issuer, Role string }
