package rest

import (
	"net/http"
	"strings"
	"testing"
)

func TestAPathLeadsWhereItsWordsSay(t *testing.T) {
	id, r := strings.Repeat("ab", 32), newRouter(table())
	for _, c := range []struct{ method, path, operation string }{
		{"GET", "/api/v1/model/digits", "GetModel"},
		{"GET", "/api/v1/model/provenance", "GetModel"},
		{"GET", "/api/v1/model/provenance/pointer", "GetPointer"},
		{"GET", "/api/v1/model/provenance/" + id, "GetModelProvenance"},
		{"GET", "/api/v1/model/digits/pointer/0", "GetPointerMove"},
		{"GET", "/api/v1/version/" + id + "/integrity", "VerifyIntegrity"},
		{"GET", "/api/v1/state/a/b/c", "GetState"},
		{"POST", "/api/v1/model/register", "RegisterModelUpdate"},
		{"GET", "/api/v1/model/register", "GetModel"},
		{"GET", "/api/v1/model/digits/pointer/01", ""},
		{"GET", "/api/v1/model/Digits", ""},
		{"GET", "/api/v1/version/" + id[1:], ""},
		{"GET", "/api/v1/state/", ""},
		{"GET", "/api/v1/model/digits/", ""},
		{"GET", "", ""},
	} {
		found, _, _ := r.resolve(c.method, c.path)
		operation := ""
		if found.path != "" {
			operation = found.operation()
		}
		if operation != c.operation {
			t.Errorf("%s %s leads to %q, not %q", c.method, c.path, operation, c.operation)
		}
	}
	if _, _, allowed := r.resolve(http.MethodDelete, "/api/v1/model/register"); strings.Join(allowed, " ") != "POST GET" {
		t.Errorf("allowed: %v", allowed)
	}
}
