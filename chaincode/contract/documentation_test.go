package contract

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/contract.md")

func TestTheDocumentationIsCurrent(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "contract.md")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	after := section(t, string(before), "functions", functionTables())
	after = section(t, after, "refusals", refusalTable(t))
	if *update {
		if err := os.WriteFile(file, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if after != string(before) {
		t.Error("docs/contract.md is not what the code says: go test ./chaincode/contract -run Documentation -update")
	}
}

func section(t *testing.T, document, name, content string) string {
	start := fmt.Sprintf("<!-- %s: made from the code -->\n", name)
	before, rest, found := strings.Cut(document, start)
	_, after, ended := strings.Cut(rest, "<!-- end -->")
	if !found || !ended {
		t.Fatalf("docs/contract.md has no place for the %s", name)
	}
	return before + start + content + "<!-- end -->" + after
}

func functionTables() string {
	var b strings.Builder
	b.WriteString("| function | arguments | who | event | writes |\n| --- | --- | --- | --- | --- |\n")
	for _, f := range functions {
		if f.writes() {
			fmt.Fprintf(&b, "| %s | %s | %s | `%s.v1` | %s |\n", f.Name, code(f.arguments...), f.who, f.Event, code(f.keys...))
		}
	}
	b.WriteString("\nReads take no creator and write nothing.\n\n| function | arguments |\n| --- | --- |\n")
	for _, f := range functions {
		if !f.writes() {
			fmt.Fprintf(&b, "| %s | %s |\n", f.Name, code(f.arguments...))
		}
	}
	b.WriteString("\nA schema's name stands for its record, of at most 16 KiB, or: ")
	var larger []string
	for _, name := range sortedKeys(schemas) {
		if limit := schemas[name].limit; limit != narrow {
			larger = append(larger, fmt.Sprintf("`%s` %d KiB", name, limit/1024))
		}
	}
	return b.String() + strings.Join(larger, ", ") + ".\n"
}

func (w who) String() string {
	switch {
	case len(w.roles) == 0:
		return "anyone; the items are signed"
	case !w.granted:
		return w.roles[0] + " by certificate"
	}
	return strings.Join(w.roles, ", ")
}

func code(words ...string) string { return "`" + strings.Join(words, "` `") + "`" }

// refusalTable reads the sentences out of the source: every call of demand and refuse that names its code.
func refusalTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| file | code | sentence |\n| --- | --- | --- |\n")
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || file == "errors.go" {
			continue
		}
		for _, refusal := range refusalsIn(t, file) {
			fmt.Fprintf(&b, "| %s | %s\n", file, refusal)
		}
	}
	return b.String()
}

var verb = regexp.MustCompile(`%[a-zA-Z]`)

func refusalsIn(t *testing.T, file string) (rows []string) {
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(source, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		name, ok := call.Fun.(*ast.Ident)
		at := slices.Index([]string{"refuse", "demand"}, fmt.Sprint(name))
		if !ok || at < 0 {
			return true
		}
		words, err := strconv.Unquote(call.Args[at+1].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if sentence := verb.ReplaceAllString(words, "…"); sentence != "…" {
			rows = append(rows, fmt.Sprintf("%s | %s |", spelled[call.Args[at].(*ast.Ident).Name], sentence))
		}
		return true
	})
	return rows
}

var spelled = map[string]string{
	"BadRecord": BadRecord, "Forbidden": Forbidden, "NotFound": NotFound, "Conflict": Conflict, "Refused": Refused,
}
